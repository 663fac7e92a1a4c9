"""How the service is: health, engines, processes, limits."""

from sanic import Blueprint, HTTPResponse

from shared.health import HEALTHY
from web.front import Req, front_of
from web.operations import Answer, Operation, describes
from web.problems import BROKER_AWAY
from web.schemas import LIMIT_NAMES
from web.service import report_of, store_status, table_of
from web.ui.templating import page

bp = Blueprint("system")


@bp.get("/system")
@describes(Operation("System page", "browser", (Answer("A page.", media_type="text/html"),)))
async def system(request: Req) -> HTTPResponse:
    front = front_of(request)
    report, table = report_of(front), table_of(front)
    jobs, pages, state = 0, 0, await store_status(front)
    if state == HEALTHY:
        jobs, pages = await front.threads.run(front.store.open_work)
    return page(
        request,
        "system.html",
        {
            "health": report.unified(state),
            "engines": report.engines(),
            "broker_away": table is None,
            "broker_away_message": BROKER_AWAY,
            "workers": table.workers if table else (),
            "counters": table.counters if table else {},
            "pages_a_minute": report.pages_a_minute(),
            "open_jobs": jobs,
            "open_pages": pages,
            "limits": {name: getattr(front.settings, name) for name in LIMIT_NAMES},
        },
    )
