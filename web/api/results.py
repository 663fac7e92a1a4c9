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
    word: str
    media_type: str


_ZIP = "zip"
_FORMATS = {
    "md": _Format("Markdown", "text/markdown; charset=utf-8"),
    "json": _Format("JSON with all blocks", "application/json"),
    "html": _Format("HTML", "text/html; charset=utf-8"),
    "txt": _Format("plain text", "text/plain; charset=utf-8"),
    _ZIP: _Format("all formats and the figures", "application/zip"),
}


def _add_route(extension: str, form: _Format) -> None:
    """One route for each format: Sanic takes no parameter inside a path segment."""

    @bp.get(f"/result.{extension}", name=f"result_{extension}")
    @describes(
        Operation(
            f"Get the whole result as {form.word}",
            "results",
            (Answer("The result.", media_type=form.media_type.partition(";")[0]),),
            parameters=(
                ()
                if extension == _ZIP
                else (Parameter("download", "1: as a file with the document's name."),)
            ),
            errors={**JOB_ERRORS, 409: "The job has not ended, or ended without a result."},
        )
    )
    async def result(request: Req, job_id: str) -> HTTPResponse | None:
        front = front_of(request)
        job = await front.threads.run(front.store.job, job_id)
        _require_result(job)
        as_file = {"Content-Disposition": download_name(job.document.name, extension)}
        if extension == _ZIP:
            await _send_zip(request, job, as_file)
            return None
        if extension not in job.artifacts:
            raise NotFound(f"The job has no {extension} result.", code="unknown_format")
        headers = {"Content-Security-Policy": DOCUMENT_SECURITY}
        if request.args.get("download"):
            headers |= as_file
        return await send_blob(request, job.artifacts[extension], form.media_type, headers=headers)


for _extension, _form in _FORMATS.items():
    _add_route(_extension, _form)


async def _send_zip(request: Req, job: Job, headers: dict[str, str]) -> None:
    front = front_of(request)
    response = await request.respond(content_type="application/zip", headers=headers)
    async for part in front.threads.stream(zip_result(front.store, job)):
        await response.send(part)
    await response.eof()


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
