"""POST /api/v1/jobs: the upload streams to disk, is checked, stored, and only then is a job."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from sanic import Blueprint, HTTPResponse
from sanic import json as json_response

from shared.errors import QuireError, TooLarge
from shared.records import Job
from shared.settings import MIB
from web.admission import check_disk, check_queue
from web.faults import as_quire_error, error_response
from web.front import Front, Req, front_of
from web.operations import Answer, Body, Operation, describes
from web.schemas import TEXT
from web.service import report_of
from web.submission import Submission, check_selection
from web.uploads import Upload, boundary_of

T = TypeVar("T")
bp = Blueprint("submit", url_prefix="/api/v1")
_DRAIN_BYTES = 1024 * MIB  # most clients read the answer only after they have sent everything
_DRAIN_SECONDS = 30.0
_FORM_BYTES = MIB  # headers and fields beside the files


@bp.post("/jobs", stream=True)
@describes(
    Operation(
        "Submit documents",
        "jobs",
        (Answer("One queued job for each file, in their order.", 202, schema="Jobs"),),
        description="Several `file` parts make one job each; when one of them is refused, "
        "nothing of the request is kept.",
        body=Body(
            "multipart/form-data",
            {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    "engine": {**TEXT, "description": "A name, several with commas, or auto."},
                    "pages": {**TEXT, "description": "Like 1-3,8; empty for all."},
                    "priority": {"enum": ["interactive", "batch", "backfill"]},
                    "options": {**TEXT, "description": "A JSON object of the engine's options."},
                    "reuse": {**TEXT, "description": "true: take identical work already done."},
                },
            },
        ),
        errors={
            400: "A field is not valid, a file is empty or missing, the form is broken.",
            413: "A file, or their number, is over its limit.",
            415: "Not a form, or a file is of no type that can be read.",
            429: "Queue or disk is full; Retry-After says when to come back.",
        },
    )
)
async def submit(request: Req) -> HTTPResponse | None:
    front = front_of(request)
    try:
        jobs = await accept_upload(request, front)
    except Exception as error:
        ours = as_quire_error(error)
        if ours.status >= 500:
            raise
        return await refuse(request, ours)
    return json_response({"jobs": [job.to_json() for job in jobs]}, status=202)


async def accept_upload(request: Req, front: Front) -> list[Job]:
    """The jobs of an upload, durable and announced. Whatever is raised leaves nothing behind."""
    content_type = request.headers.get("content-type", "")
    boundary_of(content_type)
    announced = _announced_bytes(request, front)
    await front.threads.run(
        check_queue, front.settings, front.store, report_of(front).pages_a_minute()
    )
    await front.threads.run(check_disk, front.settings, announced)
    _http(request).request_max_size = float("inf")  # counted file by file instead
    submission = Submission(front.engines)
    upload = Upload(front.settings, front.store.blobs, front.threads, submission.check_field)
    try:
        await upload.receive(content_type, _body(request))
        return await _finish(_store_and_ring(front, upload, submission))
    finally:
        await _finish(upload.abort())


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that is not left half done when the client goes away."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _store_and_ring(front: Front, upload: Upload, submission: Submission) -> list[Job]:
    jobs = await front.threads.run(_store, front, upload, submission)
    for job in jobs:
        await front.bus.submit(job)
    return jobs


def _store(front: Front, upload: Upload, submission: Submission) -> list[Job]:
    """Commit blobs and rows. Runs in a thread; the order makes a crash leave only orphan blobs."""
    for file in upload.files:
        submission.new_job(upload.fields, "", file)  # options may only be known to be bad now
    stored: list[str] = []
    try:
        new_jobs = []
        for file in upload.files:
            sha256, size_bytes = file.writer.commit()
            stored.append(sha256)
            known = front.store.add_document(sha256, file.media_type, size_bytes)
            check_selection(upload.fields.get("pages", ""), known)
            new_jobs.append(submission.new_job(upload.fields, sha256, file))
        return front.store.add_jobs(new_jobs)
    except Exception:
        front.store.discard(stored)
        raise


def _announced_bytes(request: Req, front: Front) -> int:
    settings = front.settings
    announced = int(request.headers.get("content-length") or 0)
    limit = settings.max_files * (settings.max_file_bytes + _FORM_BYTES)
    if announced > limit:
        raise TooLarge(
            f"The request has {announced / MIB:.0f} MiB; at most {settings.max_files} files of "
            f"{settings.max_file_bytes / MIB:g} MiB are taken.",
            code="request_too_large",
            param="file",
        )
    return announced


async def _body(request: Req) -> AsyncIterator[bytes]:
    while (chunk := await _http(request).read()) is not None:
        yield chunk


async def refuse(request: Req, error: QuireError) -> HTTPResponse | None:
    """Answer at once, then read on for a while: a client that is still sending would otherwise
    see a broken connection instead of the answer.
    """
    waits = request.headers.get("expect", "").lower() == "100-continue"
    http = _http(request)
    if waits or not http.request_body:
        return error_response(error)
    http.keep_alive = False
    http.request_max_size = float("inf")
    response = await request.respond(error_response(error))
    await response.send(end_stream=True)
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in _body(request):
                left -= len(chunk)
                if left < 0:
                    break
    except TimeoutError:
        pass
    return None


def _http(request: Req) -> Any:
    """The connection's parser, whose limits a streaming handler sets itself."""
    return request.stream
