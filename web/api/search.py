"""Full-text search over all pages."""

from sanic import Blueprint, HTTPResponse
from sanic import json as json_response

from shared.errors import Refused
from shared.records import SearchHit
from web.front import Req, front_of
from web.operations import LIST_LIMIT, Answer, Operation, Parameter, describes
from web.queries import whole, words

bp = Blueprint("search", url_prefix="/api/v1")
_DEFAULT_LIMIT, _MAX_LIMIT, _MAX_OFFSET = 20, 100, 10_000


@bp.get("/search")
@describes(
    Operation(
        "Search pages",
        "results",
        (Answer("Pages that have all words, best first.", schema="SearchHits"),),
        parameters=(
            Parameter("q", 'Words; "in quotes" as a phrase.'),
            LIST_LIMIT,
            Parameter("offset", "`next` of the answer before.", schema={"type": "integer"}),
        ),
        errors={400: "No words to look for, or a parameter is not valid."},
    )
)
async def search(request: Req) -> HTTPResponse:
    front = front_of(request)
    text = words(request)
    if not text:
        raise Refused(
            "Say which words to look for, like ?q=words; all jobs are listed at /api/v1/jobs.",
            code="empty_query",
            param="q",
        )
    limit = whole(request, "limit", _DEFAULT_LIMIT, 1, _MAX_LIMIT)
    offset = whole(request, "offset", 0, 0, _MAX_OFFSET)
    hits = await front.threads.run(front.store.search, text, limit=limit + 1, offset=offset)
    more = offset + limit if len(hits) > limit else None
    return json_response({"hits": [hit_json(hit) for hit in hits[:limit]], "next": more})


def hit_json(hit: SearchHit) -> dict[str, object]:
    """A hit as the API shows it."""
    return {
        "job": hit.job,
        "document_name": hit.document_name,
        "page": hit.page,
        "engine": hit.engine,
        "snippet": hit.snippet,
        "created": hit.created,
    }
