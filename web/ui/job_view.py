"""One job: the strip of its pages, and one page at a time beside its picture."""

from sanic import Blueprint, HTTPResponse

from shared.records import Job, PageTask
from web.front import Req, front_of
from web.operations import ENGINE, Answer, Operation, Parameter, describes
from web.queries import page_number
from web.service import report_of
from web.ui.page_view import page_view
from web.ui.rows import job_row, page_row
from web.ui.templating import page

bp = Blueprint("job_view", url_prefix="/jobs/<job_id:str>")
_HTML = (Answer("A page.", media_type="text/html"),)
_OTHER_RUNS = 20
_MANY, _RUN_PAGES = 120, 50  # as in static/cell_runs.js
_FORMAT_WORDS = {
    "md": "Markdown",
    "docx": "Word document",
    "pdf": "Searchable PDF",
    "html": "HTML",
    "txt": "Text",
    "json": "JSON",
    "hocr": "hOCR",
}


@bp.get("/")
@describes(
    Operation(
        "A job and one of its pages",
        "browser",
        _HTML,
        parameters=(
            Parameter("page", "Which page to show.", schema={"type": "integer"}),
            ENGINE,
            Parameter("find", "Words to mark on the page."),
        ),
        errors={404: "There is no such job."},
    )
)
async def show(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    job = await front.threads.run(front.store.job, job_id)
    tasks = in_order(job, await front.threads.run(front.store.pages, job_id))
    others = await front.threads.run(front.store.runs, job_id, limit=_OTHER_RUNS)
    running = front.hub.running(job_id)
    pages = [page_row(task, running) for task in tasks]
    number = page_number(request.args.get("page") or (str(tasks[0].page) if tasks else "1"))
    asked = request.args.get("engine") or _first_engine(tasks, number)
    names = list(dict.fromkeys(task.asked for task in tasks))
    values = {
        "job": job.to_json(),
        "formats": _formats(job),
        "marks": {row["mark"] for row in pages},
        "many": _MANY,
        "run_pages": _RUN_PAGES,
        "strips": [(name, [row for row in pages if row["asked"] == name]) for name in names],
        "others": [job_row(other) for other in others],
        "engines": report_of(front).engines(),
        **await page_view(front, job, number, asked, pages),
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
    # The pages beside this one are its neighbours by number, unless some were left out.
    near = {} if job.pages else {"after": max(0, wanted - 2), "limit": 3}
    tasks = in_order(job, await front.threads.run(front.store.pages, job_id, **near))
    asked = request.args.get("engine") or _first_engine(tasks, wanted)
    running = front.hub.running(job_id)
    pages = [page_row(task, running) for task in tasks]
    values = await page_view(front, job, wanted, asked, pages)
    return page(request, "reading.html", {"job": job.to_json(), **values})


def in_order(job: Job, tasks: list[PageTask]) -> list[PageTask]:
    """By page, and by engine as the job names them: the first is shown first."""
    order = {name: at for at, name in enumerate(job.engines)}
    return sorted(tasks, key=lambda task: (task.page, order.get(task.asked, len(order))))


def _formats(job: Job) -> list[tuple[str, str]]:
    """(extension, word) of what can be downloaded; some are made when they are asked for."""
    if not job.has_result:
        return []
    return [*_FORMAT_WORDS.items(), ("zip", "Everything as ZIP")]


def _first_engine(tasks: list[PageTask], number: int) -> str:
    return next((task.asked for task in tasks if task.page == number), "")
