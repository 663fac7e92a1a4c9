"""Pages of a job: how far each is, what was read on it, what it looks like."""

import base64
from typing import Any

from sanic import Blueprint, HTTPResponse
from sanic import json as json_response

from shared.errors import NotFound
from shared.records import PageResult
from web.blob_answers import send_blob
from web.front import Front, Req, front_of
from web.live_job import page_json
from web.operations import ENGINE, JOB_ERRORS, Answer, Operation, Parameter, describes
from web.queries import page_number, whole

bp = Blueprint("pages", url_prefix="/api/v1/jobs/<job_id:str>")
_MAX_PAGE = 999_999


@bp.get("/pages")
@describes(
    Operation(
        "List the pages of a job",
        "jobs",
        (Answer("One entry for each page and engine.", schema="Pages"),),
        parameters=(
            Parameter("after", "Only pages behind this one.", schema={"type": "integer"}),
            Parameter(
                "limit",
                "So many page numbers at most; all when left out.",
                schema={"type": "integer"},
            ),
        ),
        errors={**JOB_ERRORS, 400: "A parameter is not valid."},
    )
)
async def list_pages(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    after = whole(request, "after", 0, 0, _MAX_PAGE)
    limit = whole(request, "limit", 0, 1, _MAX_PAGE) or None
    tasks = await front.threads.run(front.store.pages, job_id, after=after, limit=limit)
    running = front.hub.running(job_id)
    return json_response({"pages": [page_json(task, running) for task in tasks]})


@bp.get("/pages/<page:str>")
@describes(
    Operation(
        "Read a page",
        "results",
        (Answer("Blocks, Markdown and the engine's raw output.", schema="PageResult"),),
        parameters=(ENGINE,),
        errors={400: "Not a page number.", 404: "There is no such page, or it is not read yet."},
    )
)
async def show_page(request: Req, job_id: str, page: str) -> HTTPResponse:
    front = front_of(request)
    engine = request.args.get("engine") or None
    result = await front.threads.run(front.store.page_result, job_id, page_number(page), engine)
    return json_response(result_json(result))


@bp.get("/pages/<page:str>/attempts")
@describes(
    Operation(
        "Read what was refused of a page",
        "results",
        (Answer("Attempts without an accepted answer, with their text.", schema="Attempts"),),
        parameters=(ENGINE,),
        errors={400: "Not a page number.", 404: "The job has no such page."},
    )
)
async def page_attempts(request: Req, job_id: str, page: str) -> HTTPResponse:
    front = front_of(request)
    number, engine = page_number(page), request.args.get("engine") or None
    tasks = await front.threads.run(front.store.pages, job_id, after=number - 1, limit=1)
    here = [task for task in tasks if task.page == number]
    task = next((t for t in here if engine in {None, t.asked, t.engine}), None)
    if task is None:
        raise NotFound(f"The job has no page {number}.", code="page_not_found", param="page")
    kept = await front.threads.run(front.store.attempts, job_id, number, task.asked)
    return json_response({"attempts": [{**each.to_json(), "text": each.text} for each in kept]})


@bp.get("/pages/<page:str>/image")
@describes(
    Operation(
        "Look at a page",
        "results",
        (Answer("The preview image.", media_type="image/*"),),
        errors={400: "Not a page number.", 404: "There is no preview of this page (yet)."},
    )
)
async def page_image(request: Req, job_id: str, page: str) -> HTTPResponse | None:
    front = front_of(request)
    number = page_number(page)
    job = await front.threads.run(front.store.job, job_id)
    sha256 = await front.threads.run(front.store.page_image, job.document.id, number)
    if sha256 is None:
        raise NotFound(
            f"There is no preview of page {number} yet.", code="image_not_found", param="page"
        )
    return await send_image(request, front, sha256, immutable=False)


@bp.get("/images/<name:str>")
@describes(
    Operation(
        "Get a figure",
        "results",
        (Answer("The figure's pixels.", media_type="image/*"),),
        description="`name` is the sha256 that blocks and Markdown name, with any extension.",
        errors={404: "The job has no such figure."},
    )
)
async def figure(request: Req, job_id: str, name: str) -> HTTPResponse | None:
    front = front_of(request)
    sha256 = name.partition(".")[0]
    if not await front.threads.run(front.store.has_image, job_id, sha256):
        raise NotFound("The job has no such figure.", code="image_not_found", param="name")
    return await send_image(request, front, sha256, immutable=True)


async def send_image(
    request: Req, front: Front, sha256: str, *, immutable: bool
) -> HTTPResponse | None:
    """Answer with an image; its type is told by its bytes, anything else is no image here."""
    try:
        file = await front.threads.run(front.store.blobs.path(sha256).open, "rb")
    except FileNotFoundError as error:
        raise NotFound("The image's file is gone.", code="blob_not_found") from error
    with file:
        head = await front.threads.run(file.read, 32)
    media_type = image_media_type(head)
    if media_type is None:
        raise NotFound("The file is no image.", code="image_not_found")
    return await send_blob(request, sha256, media_type, immutable=immutable)


def image_media_type(head: bytes) -> str | None:
    """The type of a picture that browsers show; SVG is not among them: it can hold scripts."""
    for signature, kind in (
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
    ):
        if head.startswith(signature):
            return kind
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def result_json(result: PageResult) -> dict[str, Any]:
    """A page's result as the API shows it."""
    try:
        raw, encoding = result.raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        raw, encoding = base64.b64encode(result.raw).decode("ascii"), "base64"
    return {
        "job": result.job,
        "page": result.page,
        "engine": result.engine,
        "asked": result.asked,
        "model": result.model,
        "source": result.source,
        "width": result.width,
        "height": result.height,
        "turned_degrees": result.turned_degrees,
        "skew_degrees": result.skew_degrees,
        "blocks": [block.to_json() for block in result.blocks],
        "markdown": result.markdown,
        "raw": raw,
        "raw_media_type": result.raw_media_type,
        "raw_encoding": encoding,
        "timings": dict(result.timings),
        "warnings": list(result.warnings),
        "options": dict(result.options),
        "reused_from": result.reused_from,
    }
