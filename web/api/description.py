"""/openapi.json and /docs: the reference, made from the routes; nothing from outside."""

from typing import Any

from sanic import Blueprint, HTTPResponse
from sanic import json as json_response

from web.front import Req, front_of
from web.openapi import describe_app
from web.operations import Answer, Operation, describes
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
    return page(request, "docs.html", {"api": _document(request)})
