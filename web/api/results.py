"""Results of a job as files."""

from typing import NamedTuple

from sanic import Blueprint, HTTPResponse

from shared.errors import Conflict, NotFound
from shared.records import Job
from web.archive import zip_result
from web.blob_answers import send_blob
from web.file_names import download_name
from web.front import Req, front_of
from web.guards import DOCUMENT_SECURITY
from web.operations import JOB_ERRORS, Answer, Operation, Parameter, describes

bp = Blueprint("results", url_prefix="/api/v1/jobs/<job_id:str>")


class _Format(NamedTuple):
    media_type: str
    download: bool


_FORMATS = {
    "md": _Format("text/markdown; charset=utf-8", download=False),
    "json": _Format("application/json", download=False),
    "html": _Format("text/html; charset=utf-8", download=False),
    "txt": _Format("text/plain; charset=utf-8", download=False),
}
_ZIP = "zip"
FORMATS = (*_FORMATS, _ZIP)


@bp.get("/result.<extension:str>")
@describes(
    Operation(
        "Get the whole result",
        "results",
        (
            *(
                Answer("The document.", media_type=form.media_type.partition(";")[0])
                for form in _FORMATS.values()
            ),
            Answer("All formats and the figures.", media_type="application/zip"),
        ),
        parameters=(Parameter("download", "1: as a file with the document's name."),),
        errors={**JOB_ERRORS, 409: "The job has not ended, or ended without a result."},
    )
)
async def result(request: Req, job_id: str, extension: str) -> HTTPResponse | None:
    front = front_of(request)
    if extension not in FORMATS:
        raise NotFound(
            f"Results come as {', '.join(FORMATS)}.", code="unknown_format", param="extension"
        )
    job = await front.threads.run(front.store.job, job_id)
    _require_result(job)
    as_file = {"Content-Disposition": download_name(job.document.name, extension)}
    if extension == _ZIP:
        response = await request.respond(content_type="application/zip", headers=as_file)
        async for part in front.threads.stream(zip_result(front.store, job)):
            await response.send(part)
        await response.eof()
        return None
    if extension not in job.artifacts:
        raise NotFound(
            f"The job has no {extension} result.", code="unknown_format", param="extension"
        )
    headers = {"Content-Security-Policy": DOCUMENT_SECURITY}
    if request.args.get("download"):
        headers |= as_file
    form = _FORMATS[extension]
    return await send_blob(request, job.artifacts[extension], form.media_type, headers=headers)


def _require_result(job: Job) -> None:
    if job.artifacts:
        return
    if not job.state.is_final:
        raise Conflict(
            f"The job is {job.state.value}; its result is written when all pages are settled.",
            code="job_is_open",
        )
    why = f": {job.failure.message}" if job.failure else "."
    raise Conflict(f"The job is {job.state.value} and has no result{why}", code="no_result")
