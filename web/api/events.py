"""GET /api/v1/jobs/{id}/events: a job as server-sent events."""

from sanic import Blueprint

from web.front import Req, front_of
from web.live_job import LiveJob
from web.operations import JOB_ERRORS, Answer, Operation, Parameter, describes

bp = Blueprint("events", url_prefix="/api/v1/jobs/<job_id:str>")


@bp.get("/events")
@describes(
    Operation(
        "Follow a job",
        "jobs",
        (
            Answer(
                "Events `snapshot`, `page`, `job`, `deleted`, `closing` until the job has ended.",
                media_type="text/event-stream",
            ),
        ),
        description="First a snapshot of job and pages, then each change. The id is the job's "
        "revision; with Last-Event-ID the snapshot is left out when nothing has changed.",
        parameters=(Parameter("Last-Event-ID", "Id of the last event seen.", where="header"),),
        errors=JOB_ERRORS,
    )
)
async def follow(request: Req, job_id: str) -> None:
    front = front_of(request)
    job = await front.threads.run(front.store.job, job_id)
    last_seen = request.headers.get("last-event-id", "")
    live = LiveJob(front, job, int(last_seen) if last_seen[:18].isdecimal() else None)
    response = await request.respond(
        content_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    async for frames in live.events():
        await response.send(frames)
    await response.eof()
