"""/openapi.json and /docs: the reference, made from the routes; nothing from outside."""

from typing import Any

from sanic import Blueprint, HTTPResponse
from sanic import json as json_response
from sanic import raw as raw_response

from web.archive import SCHEMA
from web.front import Req, front_of
from web.openapi import describe_app
from web.operations import JSON, Answer, Operation, describes
from web.ui.templating import page

bp = Blueprint("description")


def _document(request: Req) -> dict[str, Any]:
    return describe_app(request.app, with_keys=bool(front_of(request).settings.api_keys))


@bp.get("/openapi.json")
@describes(Operation("The interface as OpenAPI 3.1", "service", (Answer("The description."),)))
async def openapi(request: Req) -> HTTPResponse:
    return json_response(_document(request))


@bp.get("/docs")
@describes(
    Operation("The interface for people", "browser", (Answer("A page.", media_type="text/html"),))
)
async def docs(request: Req) -> HTTPResponse:
    base = f"{request.scheme}://{request.host}"
    return page(request, "docs.html", {"api": _document(request), "base": base})


@bp.get("/schema/quire-1.json")
@describes(Operation("The JSON Schema of result.json", "results", (Answer("JSON Schema."),)))
async def schema(request: Req) -> HTTPResponse:
    text = await front_of(request).threads.run(SCHEMA.read_bytes)
    return raw_response(text, content_type=JSON)
