"""All jobs: search, filters, one page after the other."""

from urllib.parse import urlencode

from sanic import Blueprint, HTTPResponse

from shared.states import JobState
from web.api.search import hit_json
from web.front import Req, front_of
from web.operations import Answer, Operation, Parameter, describes
from web.queries import job_state, words
from web.ui.rows import job_row
from web.ui.templating import page

bp = Blueprint("history")
_JOBS = 30
_HITS = 30


@bp.get("/jobs")
@describes(
    Operation(
        "Jobs and search",
        "browser",
        (Answer("A page.", media_type="text/html"),),
        parameters=(
            Parameter("q", "Words of a document's name or pages."),
            Parameter("state", "queued, running, done, failed or cancelled."),
            Parameter("engine", "One of the engines."),
            Parameter("cursor", "Where the list goes on."),
        ),
        errors={400: "A parameter is not valid."},
    )
)
async def history(request: Req) -> HTTPResponse:
    front = front_of(request)
    text, state = words(request), job_state(request)
    engine = request.args.get("engine") or None
    cursor = request.args.get("cursor") or None
    jobs, following = await front.threads.run(
        front.store.jobs, state=state, engine=engine, q=text, limit=_JOBS, cursor=cursor
    )
    hits = []
    if text and cursor is None:
        hits = await front.threads.run(front.store.search, text, limit=_HITS)
    filters = {"q": text, "state": state.value if state else "", "engine": engine or ""}
    kept = {name: value for name, value in filters.items() if value}
    return page(
        request,
        "history.html",
        {
            "jobs": [job_row(job) for job in jobs],
            "hits": [hit_json(hit) for hit in hits],
            "filters": filters,
            "states": [known.value for known in JobState],
            "engine_names": ("auto", *front.engines.names),
            "next_page": f"/jobs?{urlencode({**kept, 'cursor': following})}" if following else None,
            "first_page": f"/jobs?{urlencode(kept)}" if cursor else None,
        },
    )
