"""One job: the strip of its pages, and one page at a time beside its picture."""

import json
from typing import Any

from sanic import Blueprint, HTTPResponse

from shared.errors import NotFound
from shared.records import Job, PageTask
from shared.render import to_html
from web.front import Front, Req, front_of
from web.live_job import page_json
from web.operations import ENGINE, Answer, Operation, Parameter, describes
from web.queries import page_number
from web.service import report_of
from web.ui.templating import page

bp = Blueprint("job_view", url_prefix="/jobs/<job_id:str>")
_NOTHING_YET = {
    "pending": "This page is waiting for its turn.",
    "running": "This page is being read.",
    "cancelled": "This page was cancelled before it was read.",
    "failed": "This page could not be read.",
    "done": "The result of this page is not there.",
}
_HTML = (Answer("A page.", media_type="text/html"),)


@bp.get("/")
@describes(
    Operation(
        "A job and one of its pages",
        "browser",
        _HTML,
        parameters=(Parameter("page", "Which page to show.", schema={"type": "integer"}), ENGINE),
        errors={404: "There is no such job."},
    )
)
async def show(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    job = await front.threads.run(front.store.job, job_id)
    tasks = await front.threads.run(front.store.pages, job_id)
    running = front.hub.running(job_id)
    children = await front.threads.run(front.store.children, job_id)
    pages = [page_json(task, running) for task in tasks]
    number = page_number(request.args.get("page") or (str(tasks[0].page) if tasks else "1"))
    engines = list(dict.fromkeys(task.asked for task in tasks))
    engine = request.args.get("engine") or _first_engine(tasks, number)
    values = {
        "job": job.to_json(),
        "strips": [
            (name, [entry for entry in pages if entry["asked"] == name]) for name in engines
        ],
        "children": [child.to_json() for child in children],
        "engines": report_of(front).engines(),
        **await _reading(front, job, number, engine, pages),
    }
    return page(request, "job.html", values)


@bp.get("/reading/<number:str>")
@describes(
    Operation(
        "The part of a job's page that shows one page of the document",
        "browser",
        _HTML,
        parameters=(ENGINE,),
        errors={404: "There is no such job or page."},
    )
)
async def reading(request: Req, job_id: str, number: str) -> HTTPResponse:
    front = front_of(request)
    wanted = page_number(number)
    job = await front.threads.run(front.store.job, job_id)
    tasks = await front.threads.run(front.store.pages, job_id, after=wanted - 1, limit=1)
    running = front.hub.running(job_id)
    engine = request.args.get("engine") or _first_engine(tasks, wanted)
    pages = [page_json(task, running) for task in tasks]
    values = await _reading(front, job, wanted, engine, pages)
    return page(request, "reading.html", {"job": job.to_json(), **values})


async def _reading(
    front: Front, job: Job, number: int, engine: str, pages: list[dict[str, Any]]
) -> dict[str, Any]:
    """What the reading part shows of one page."""
    here = [entry for entry in pages if entry["page"] == number]
    task = next((entry for entry in here if engine in {entry["asked"], entry["engine"]}), None)
    if here and task is None:
        raise NotFound(
            f"Page {number} is not read by {engine[:40]!r}.", code="page_not_found", param="engine"
        )
    picture = await front.threads.run(front.store.page_image, job.document.id, number)
    values: dict[str, Any] = {
        "number": number,
        "engine": task["asked"] if task else engine,
        "task": task,
        "readers": [entry["asked"] for entry in here],
        "picture": f"/api/v1/jobs/{job.id}/pages/{number}/image" if picture else None,
        "result": None,
        "rendered": "",
        "blocks_json": "",
        "nothing": _NOTHING_YET.get(task["state"], "") if task else "",
    }
    if task is None or task["state"] != "done":
        return values
    try:
        result = await front.threads.run(front.store.page_result, job.id, number, engine)
    except NotFound:
        return values

    def image_url(sha256: str) -> str:
        return f"/api/v1/jobs/{job.id}/images/{sha256}"

    values["result"] = result
    # A dense page takes some milliseconds: not on the event loop.
    values["rendered"] = await front.threads.run(
        to_html, result.blocks, furniture=True, image_url=image_url, page=number
    )
    values["blocks_json"] = json.dumps(
        [block.to_json() for block in result.blocks], ensure_ascii=False, indent=1
    )
    return values


def _first_engine(tasks: list[PageTask], number: int) -> str:
    return next((task.asked for task in tasks if task.page == number), "")
