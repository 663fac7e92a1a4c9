"""Two readings of a job's pages beside each other, and taking a page from one of them."""

from typing import Any

from sanic import Blueprint, HTTPResponse
from sanic import json as json_response

from shared.compare import PageAgreement, measure, word_differences
from shared.errors import Conflict, Refused
from shared.followups import Choice, compare_with
from shared.records import Job, PageResult
from web.front import Front, Req, front_of
from web.making import MAKING, WAIT, wait_until_made
from web.operations import JOB_ERRORS, JSON, Answer, Body, Operation, Parameter, describes
from web.queries import MAX_LIMIT, page_number, whole
from web.schemas import TEXT, maybe
from web.submission import read_json

bp = Blueprint("compare", url_prefix="/api/v1/jobs/<job_id:str>")
_DEFAULT_LIMIT = 100
_MOST_PAGES = 1_000_000
_WITH = Parameter("with", "Another job of the same document; left out: the job's own engines.")


@bp.get("/compare")
@describes(
    Operation(
        "List compared pages, those least alike first",
        "results",
        (Answer("Agreement of each page and pair of readings.", schema="Comparison"), MAKING),
        description="The engines of one job are compared when it ends, two jobs when first asked.",
        parameters=(
            _WITH,
            WAIT,
            Parameter("limit", "How many at most.", schema={"type": "integer", "minimum": 1}),
            Parameter("offset", "How many to skip.", schema={"type": "integer", "minimum": 0}),
        ),
        errors={
            **JOB_ERRORS,
            400: "A parameter is not valid.",
            409: "The jobs read different documents, or have no result.",
        },
    )
)
async def list_compared(request: Req, job_id: str) -> HTTPResponse:
    front = front_of(request)
    job = await front.threads.run(front.store.job, job_id)
    other = await _other_job(front, request, job)
    limit = whole(request, "limit", _DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = whole(request, "offset", 0, 0, _MOST_PAGES)
    await front.threads.run(front.store.job, other.id)
    compared, count = await front.threads.run(
        front.store.agreements, job.id, other.id, limit=limit, offset=offset
    )
    if not count:
        kind = compare_with(other.id)
        await front.threads.run(front.store.want, job.id, kind)
        answer = await wait_until_made(request, job.id, kind)
        if answer is not None:
            return answer
        compared, count = await front.threads.run(
            front.store.agreements, job.id, other.id, limit=limit, offset=offset
        )
    choices = await front.threads.run(front.store.choices, job.id)
    return json_response(
        {
            "job": job.id,
            "with": other.id,
            "pages": [_compared_json(job, other, item, choices) for item in compared],
            "total": count,
            "next": offset + limit if offset + limit < count else None,
        }
    )


@bp.get("/compare/<page:str>")
@describes(
    Operation(
        "Compare two readings of a page",
        "results",
        (Answer("Texts, agreement and word differences.", schema="PageComparison"),),
        description="Without `left` and `right`: the reading that the result shows, and the first "
        "other one.",
        parameters=(
            _WITH,
            Parameter("left", "Engine of the reading on the left, of this job."),
            Parameter("right", "Engine of the reading on the right, of the other job if named."),
        ),
        errors={
            400: "Not a page number.",
            404: "There is no such job, page or reading.",
            409: "The jobs read different documents, or there is only one reading.",
        },
    )
)
async def compare_page(request: Req, job_id: str, page: str) -> HTTPResponse:
    front = front_of(request)
    number = page_number(page)
    job = await front.threads.run(front.store.job, job_id)
    other = await _other_job(front, request, job)
    left = await _reading(front, job, number, request.args.get("left"))
    right_name = request.args.get("right")
    if right_name is None and other.id == job.id:
        right_name = await _other_engine(front, job, number, left)
    right = await _reading(front, other, number, right_name)
    choices = await front.threads.run(front.store.choices, job.id)
    body = await front.threads.run(_page_json, number, left, right, choices.get(number))
    return json_response(body)


@bp.post("/pages/<page:str>/take")
@describes(
    Operation(
        "Show another reading of a page in the result",
        "results",
        (Answer("The job; its files are merged anew.", schema="Job"),),
        description="`job` names another job of the same document; left out: this one. `engine` "
        "null goes back to the rule: the first engine in the job's order that read the page.",
        body=Body(
            JSON,
            {
                "type": "object",
                "properties": {"engine": maybe(TEXT), "job": maybe(TEXT)},
                "required": ["engine"],
            },
        ),
        errors={
            400: "Not a page number, or the body is not valid.",
            404: "There is no such job, page or reading.",
            409: "That page was not read, or the other job read another document.",
        },
    )
)
async def take_page(request: Req, job_id: str, page: str) -> HTTPResponse:
    front = front_of(request)
    number = page_number(page)
    body = read_json(request.body)
    engine, source = body.get("engine"), body.get("job")
    if "engine" not in body or not all(isinstance(v, (str, type(None))) for v in (engine, source)):
        raise Refused(
            "The body names an engine, or null, and perhaps a job.",
            code="bad_field",
            param="engine",
        )
    job = await front.threads.run(front.store.take_page, job_id, number, engine, source)
    front.hub.job_changed(job)
    return json_response(job.to_json())


async def _other_job(front: Front, request: Req, job: Job) -> Job:
    name = request.args.get("with") or job.id
    if name == job.id:
        return job
    other = await front.threads.run(front.store.job, name)
    if not other.has_result:
        raise Conflict(
            f"The job {other.id} is {other.state.value} and has no result to compare with.",
            code="no_result",
            param="with",
        )
    if other.document.id != job.document.id:
        raise Conflict(
            "The two jobs read different documents; only readings of one document are compared.",
            code="other_document",
            param="with",
        )
    return other


async def _reading(front: Front, job: Job, page: int, engine: str | None) -> PageResult:
    return await front.threads.run(front.store.page_result, job.id, page, engine or None)


async def _other_engine(front: Front, job: Job, page: int, left: PageResult) -> str:
    """Another engine of the job that has read the page."""
    tasks = await front.threads.run(front.store.pages, job.id, after=page - 1, limit=1)
    order = {name: rank for rank, name in enumerate(job.engines)}
    names = sorted(
        (task.asked for task in tasks if task.page == page and task.state.value == "done"),
        key=lambda name: order.get(name, len(order)),
    )
    for name in names:
        if (job.id, name) != (left.job, left.asked):
            return name
    raise Conflict(
        f"Page {page} has only one reading: name another job with ?with=, or run it again with "
        "another engine.",
        code="one_reading",
    )


def _page_json(
    page: int, left: PageResult, right: PageResult, choice: Choice | None
) -> dict[str, Any]:
    measured = measure(left.text, right.text)
    pieces, is_cut = word_differences(left.text, right.text)
    return {
        "page": page,
        "left": _side_json(left, choice),
        "right": _side_json(right, choice),
        "agreement": measured.agreement,
        "words_in_common": measured.words_in_common,
        "order_difference": measured.order_difference,
        "differences": [piece.to_json() for piece in pieces],
        "is_cut": is_cut,
    }


def _side_json(result: PageResult, choice: Choice | None) -> dict[str, Any]:
    return {
        "job": result.job,
        "engine": result.engine,
        "asked": result.asked,
        "model": result.model,
        "source": result.source,
        "taken": choice is not None and (choice.job, choice.engine) == (result.job, result.asked),
    }


def _compared_json(
    job: Job, other: Job, item: PageAgreement, choices: dict[int, Choice]
) -> dict[str, Any]:
    choice = choices.get(item.page)

    def side(job_id: str, engine: str) -> dict[str, Any]:
        taken = choice is not None and (choice.job, choice.engine) == (job_id, engine)
        return {"job": job_id, "engine": engine, "taken": taken}

    return {
        "page": item.page,
        "left": side(job.id, item.engine),
        "right": side(other.id, item.other_engine),
        "agreement": item.measured.agreement,
        "words_in_common": item.measured.words_in_common,
        "order_difference": item.measured.order_difference,
    }
