"""Two readings of a document's pages beside each other; the script asks the API for them."""

from sanic import Blueprint, HTTPResponse

from shared.errors import Conflict
from web.front import Req, front_of
from web.operations import Answer, Operation, Parameter, describes
from web.queries import page_number
from web.ui.templating import page

bp = Blueprint("compare_view", url_prefix="/jobs/<job_id:str>")


@bp.get("/compare")
@describes(
    Operation(
        "Two readings of a document beside each other",
        "browser",
        (Answer("A page.", media_type="text/html"),),
        parameters=(
            Parameter("with", "Another job of the same document."),
            Parameter("page", "Which page to show.", schema={"type": "integer"}),
        ),
        errors={404: "There is no such job.", 409: "The jobs read different documents."},
    )
)
async def compare(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    job = await front.threads.run(front.store.job, job_id)
    other = await front.threads.run(front.store.job, request.args.get("with") or job_id)
    if other.document.id != job.document.id:
        raise Conflict(
            "The two jobs read different documents; only readings of one document are compared.",
            code="other_document",
            param="with",
        )
    wanted = request.args.get("page")
    values = {
        "job": job.to_json(),
        "other": other.to_json(),
        "number": page_number(wanted) if wanted else None,
    }
    return page(request, "compare.html", values)
