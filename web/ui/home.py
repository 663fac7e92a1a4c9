"""The front page: drop documents, choose engine and pages; what was done lately."""

from sanic import Blueprint, HTTPResponse
from sanic.response import redirect

from shared.media import MEDIA_TYPES, extension_of
from web.api.submit import accept_upload
from web.front import Req, front_of
from web.operations import Answer, Body, Operation, describes
from web.problems import BROKER_AWAY
from web.schemas import ANY_OBJECT, LIMIT_NAMES
from web.service import report_of, table_of
from web.ui.rows import job_row
from web.ui.templating import page

bp = Blueprint("home")
_RECENT_JOBS = 6


@bp.get("/")
@describes(Operation("Start page", "browser", (Answer("A page.", media_type="text/html"),)))
async def home(request: Req) -> HTTPResponse:
    front = front_of(request)
    jobs, _ = await front.threads.run(front.store.jobs, limit=_RECENT_JOBS)
    report = report_of(front)
    settings = front.settings
    return page(
        request,
        "home.html",
        {
            "jobs": [job_row(job) for job in jobs],
            "engines": report.engines(),
            "broker_away": table_of(front) is None,
            "broker_away_message": BROKER_AWAY,  # said once above the cards, not on each
            "limits": {name: getattr(settings, name) for name in LIMIT_NAMES},
            "accept": ",".join([*MEDIA_TYPES, *(f".{extension_of(m)}" for m in MEDIA_TYPES)]),
        },
    )


@bp.post("/upload", stream=True)
@describes(
    Operation(
        "Upload from the start page, for browsers without scripts",
        "browser",
        (Answer("To the new job.", 303, media_type="text/html"),),
        body=Body("multipart/form-data", ANY_OBJECT),
        errors={400: "The upload is refused, as with POST /api/v1/jobs."},
    )
)
async def upload(request: Req) -> HTTPResponse:
    jobs = await accept_upload(request, front_of(request))
    return redirect(f"/jobs/{jobs[0].id}" if len(jobs) == 1 else "/jobs", status=303)
