"""Jobs: list, show, cancel, replay, delete."""

from sanic import Blueprint, HTTPResponse, empty
from sanic import json as json_response

from web.admission import check_disk, check_queue
from web.front import Req, front_of
from web.operations import (
    JOB_ERRORS,
    JSON,
    LIST_LIMIT,
    Answer,
    Body,
    Operation,
    Parameter,
    describes,
)
from web.queries import MAX_LIMIT, job_state, whole, words
from web.schemas import ANY_OBJECT, FLAG, TEXT
from web.service import report_of
from web.submission import Submission, read_json, read_lane

bp = Blueprint("jobs", url_prefix="/api/v1/jobs")
_DEFAULT_LIMIT = 50


@bp.get("/")
@describes(
    Operation(
        "List jobs, newest first",
        "jobs",
        (Answer("Jobs, and the cursor of the next page or null.", schema="Jobs"),),
        parameters=(
            Parameter("state", "queued, running, done, failed or cancelled."),
            Parameter("engine", "One of the engines that the job asked for."),
            Parameter("q", "Part of the document's name, or words of its pages."),
            LIST_LIMIT,
            Parameter("cursor", "`next` of the page before."),
        ),
        errors={400: "A parameter is not valid."},
    )
)
async def list_jobs(request: Req) -> HTTPResponse:
    front = front_of(request)
    jobs, cursor = await front.threads.run(
        front.store.jobs,
        state=job_state(request),
        engine=request.args.get("engine") or None,
        q=words(request),
        limit=whole(request, "limit", _DEFAULT_LIMIT, 1, MAX_LIMIT),
        cursor=request.args.get("cursor") or None,
    )
    return json_response({"jobs": [job.to_json() for job in jobs], "next": cursor})


@bp.get("/<job_id:str>")
@describes(Operation("Show a job", "jobs", (Answer("The job.", schema="Job"),), errors=JOB_ERRORS))
async def show_job(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    job = await front.threads.run(front.store.job, job_id)
    return json_response(job.to_json())


@bp.get("/<job_id:str>/before")
@describes(
    Operation(
        "See what stands before a job in the queue",
        "jobs",
        (Answer("Open jobs that are older or of a higher priority.", schema="WorkBefore"),),
        description="Pages are read in turns between jobs, so a job need not wait for all of it.",
        errors=JOB_ERRORS,
    )
)
async def work_before(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    jobs, pages = await front.threads.run(front.store.work_before, job_id)
    return json_response({"jobs": jobs, "pages": pages})


@bp.post("/<job_id:str>/cancel")
@describes(
    Operation(
        "Cancel a job",
        "jobs",
        (Answer("The job, cancelled; pages that are done stay.", schema="Job"),),
        errors={**JOB_ERRORS, 409: "The job has already ended."},
    )
)
async def cancel_job(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    job = await front.threads.run(front.store.cancel_job, job_id)
    await front.bus.cancel(job_id)
    front.hub.job_changed(job)
    return json_response(job.to_json())


@bp.post("/<job_id:str>/priority")
@describes(
    Operation(
        "Change the priority of a job",
        "jobs",
        (Answer("The job; its waiting pages stand in the other lane.", schema="Job"),),
        body=Body(
            JSON,
            {
                "type": "object",
                "properties": {"priority": {"enum": ["interactive", "batch", "backfill"]}},
                "required": ["priority"],
            },
        ),
        errors={**JOB_ERRORS, 400: "No such priority.", 409: "The job has already ended."},
    )
)
async def move_job(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    lane = read_lane(str(read_json(request.body).get("priority") or "none"))
    job = await front.threads.run(front.store.move_job, job_id, lane)
    await front.bus.set_priority(job_id, lane)
    front.hub.job_changed(job)
    return json_response(job.to_json())


@bp.post("/<job_id:str>/replay")
@describes(
    Operation(
        "Run again as a new job",
        "jobs",
        (Answer("The new job, with this one as its parent.", 202, schema="Job"),),
        description="What is not named is inherited. `postprocess` reads the stored raw output "
        "again and runs no engine. `reuse` takes identical work that is already done.",
        body=Body(
            JSON,
            {
                "type": "object",
                "properties": {
                    "engine": TEXT,
                    "pages": TEXT,
                    "options": ANY_OBJECT,
                    "from": {"enum": ["recognize", "postprocess"]},
                    "reuse": FLAG,
                    "priority": {"enum": ["interactive", "batch", "backfill"]},
                },
            },
            required=False,
        ),
        errors={
            **JOB_ERRORS,
            400: "A field is not valid.",
            409: "The job is still open and the replay is from 'postprocess', or no run can read "
            "the document, which needs a password or is none.",
            429: "The queue is full; Retry-After says when to come back.",
        },
    )
)
async def replay_job(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    body = read_json(request.body)
    parent = await front.threads.run(front.store.job, job_id)
    new = Submission(front.engines).replay(parent, body)
    await front.threads.run(
        check_queue, front.settings, front.store, report_of(front).pages_a_minute()
    )
    await front.threads.run(check_disk, front.settings)
    (job,) = await front.threads.run(front.store.add_jobs, [new])
    await front.bus.submit(job)
    return json_response(job.to_json(), status=202)


@bp.delete("/<job_id:str>")
@describes(
    Operation(
        "Delete a job",
        "jobs",
        (Answer("Gone, with all that only it used.", 204),),
        errors={
            **JOB_ERRORS,
            409: "The job is open (cancel it first), or an open replay reads it.",
        },
    )
)
async def delete_job(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    await front.threads.run(front.store.delete_job, job_id)
    await front.bus.closed(job_id)
    return empty()
