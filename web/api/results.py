"""Results of a job as files: four are there when it ends, the others are made when asked for."""

from typing import NamedTuple

from sanic import Blueprint, HTTPResponse

from shared.errors import Conflict, NotFound
from shared.followups import EXPORTS, MERGE
from shared.records import Job
from store import Store
from web.archive import zip_result
from web.blob_answers import send_blob
from web.file_names import download_name
from web.front import Req, front_of
from web.guards import DOCUMENT_SECURITY
from web.making import MAKING, WAIT, wait_until_made
from web.operations import JOB_ERRORS, Answer, Operation, Parameter, describes

bp = Blueprint("results", url_prefix="/api/v1/jobs/<job_id:str>")


class _Format(NamedTuple):
    word: str
    media_type: str
    text: str = ""


_ZIP = "zip"
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_FORMATS = {
    "md": _Format("Markdown", "text/markdown; charset=utf-8"),
    "json": _Format(
        "JSON with all blocks", "application/json", "Its JSON Schema is at /schema/quire-1.json."
    ),
    "html": _Format("HTML", "text/html; charset=utf-8"),
    "txt": _Format("plain text", "text/plain; charset=utf-8"),
    "docx": _Format("a Word document", _DOCX),
    "pdf": _Format(
        "a searchable PDF",
        "application/pdf",
        "The original with an invisible layer of text. Pages that have a sound text layer keep "
        "theirs; images become pages.",
    ),
    "hocr": _Format("hOCR", "text/html; charset=utf-8", "Boxes are in pixels at 300 dpi."),
    _ZIP: _Format("all that is made, the figures and the schema", "application/zip"),
}
_FILES_ONLY = {"docx", "pdf"}  # nothing that a page of ours shows
_DOWNLOAD = Parameter("download", "1: as a file with the document's name.")
_ALL = Parameter("all", "1: every format; those that are not there are made first.")


def _add_route(extension: str, form: _Format) -> None:
    """One route for each format: Sanic takes no parameter inside a path segment."""
    made = Answer("The result.", media_type=form.media_type.partition(";")[0])
    on_demand = "Made when it is first asked for, then kept. " if extension in EXPORTS else ""
    if not on_demand:
        on_demand = "Of a job that was cancelled, what was read until then, made when asked for. "

    @bp.get(f"/result.{extension}", name=f"result_{extension}")
    @describes(
        Operation(
            f"Get the whole result as {form.word}",
            "results",
            (made, MAKING),
            description=on_demand + form.text,
            parameters=((_ALL, WAIT) if extension == _ZIP else (_DOWNLOAD, WAIT)),
            errors={
                **JOB_ERRORS,
                400: "A parameter is not valid.",
                409: "The job has not ended, or ended without a result, or it cannot be made.",
            },
        )
    )
    async def result(request: Req, job_id: str) -> HTTPResponse | None:
        front = front_of(request)
        job = await front.threads.run(front.store.job, job_id)
        _require_result(job)
        kinds = _to_wait_for(request, job, extension)
        for kind in kinds:
            await front.threads.run(_want, front.store, job, kind)
        answer = await wait_until_made(request, job_id, *kinds)
        if answer is not None:
            return answer
        job = await front.threads.run(front.store.job, job_id)
        as_file = {"Content-Disposition": download_name(job.document.name, extension)}
        if extension == _ZIP:
            await _send_zip(request, job, as_file)
            return None
        if extension not in job.artifacts:
            raise NotFound(f"The job has no {extension} result.", code="unknown_format")
        headers = {"Content-Security-Policy": DOCUMENT_SECURITY}
        if request.args.get("download") or extension in _FILES_ONLY:
            headers |= as_file
        return await send_blob(request, job.artifacts[extension], form.media_type, headers=headers)


for _extension, _form in _FORMATS.items():
    _add_route(_extension, _form)


def _want(store: Store, job: Job, kind: str) -> None:
    """Ask for it. Of a job that is done the collect stage merges the pages, and whoever takes one
    asks for it anew; here it is asked for when that failed, or the job ended before its last page.
    """
    wish = store.wish(job.id, kind)
    if kind != MERGE or not job.artifacts or (wish is not None and wish.failure is not None):
        store.want(job.id, kind)


def _to_wait_for(request: Req, job: Job, extension: str) -> list[str]:
    """What must be made before the answer. A merge under way comes first: exports read it."""
    exports = [extension] if extension in EXPORTS else []
    if extension == _ZIP and request.args.get("all"):
        exports = list(EXPORTS)
    return [MERGE, *(kind for kind in exports if kind not in job.artifacts)]


async def _send_zip(request: Req, job: Job, headers: dict[str, str]) -> None:
    front = front_of(request)
    response = await request.respond(content_type="application/zip", headers=headers)
    async for part in front.threads.stream(zip_result(front.store, job)):
        await response.send(part)
    await response.eof()


def _require_result(job: Job) -> None:
    if job.has_result:
        return
    if not job.state.is_final:
        raise Conflict(
            f"The job is {job.state.value}; its result is written when all pages are settled.",
            code="job_is_open",
        )
    why = f": {job.failure.message}" if job.failure else "."
    raise Conflict(f"The job is {job.state.value} and has no result{why}", code="no_result")
