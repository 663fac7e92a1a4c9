"""Errors as answers: one JSON shape for programs, one page for people."""

import logging
from typing import Any

from sanic import HTTPResponse
from sanic import json as json_response
from sanic.exceptions import SanicException

from shared.errors import Busy, NotFound, QuireError, Refused
from web.front import App, Req

log = logging.getLogger(__name__)

_TYPES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    415: "unsupported_type",
    421: "wrong_host",
    429: "busy",
    503: "unavailable",
}
_API_PATHS = ("/api/", "/health", "/metrics", "/openapi.json")


class Unauthorized(Refused):
    """A key is needed, or the one given is not known."""

    status = 401


class Forbidden(Refused):
    """Refused because of where the request comes from."""

    status = 403


class WrongHost(Refused):
    """The request names a host that this server is not."""

    status = 421


class UnsupportedType(Refused):
    """The content is of no type that we read."""

    status = 415


class Unavailable(QuireError):
    """A part that this answer needs is away for now."""

    status = 503


def error_body(error: QuireError) -> dict[str, Any]:
    """The error as every part of the API shows it."""
    message = str(error)
    return {
        "error": {
            "type": _TYPES.get(error.status, "internal"),
            "code": error.code,
            "message": message,
            "param": error.param,
        },
        "detail": message,
    }


def error_response(error: QuireError) -> HTTPResponse:
    """The JSON answer for an error."""
    headers = {}
    if isinstance(error, Busy):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="quire"'
    return json_response(error_body(error), status=error.status, headers=headers)


def is_api(request: Req) -> bool:
    """Whether this request wants JSON rather than a page."""
    return request.path.startswith(_API_PATHS) or "text/html" not in request.headers.get(
        "accept", ""
    )


def as_quire_error(error: BaseException) -> QuireError:
    """Any error as one of ours; what is not expected becomes a 500 that tells nothing inside."""
    if isinstance(error, QuireError):
        return error
    if isinstance(error, SanicException) and error.status_code < 500:
        return _from_sanic(error)
    if isinstance(error, SanicException) and error.status_code == 503:
        return Unavailable("The server did not answer in time.", code="unavailable")
    return QuireError("Something went wrong inside; the log of the web process says what.")


def _from_sanic(error: SanicException) -> QuireError:
    status = error.status_code
    if status == 404:
        return NotFound("There is nothing at this address.", code="not_found")
    ours = Refused(str(error) or "The request is not valid.", code=_TYPES.get(status, "invalid"))
    ours.status = status
    return ours


def install_errors(app: App) -> None:
    """Answer every error in one shape."""

    @app.exception(Exception)
    async def answer(request: Req, error: Exception) -> HTTPResponse:
        ours = as_quire_error(error)
        if ours.status >= 500 and not isinstance(ours, Unavailable):
            log.error("%s %s failed.", request.method, request.path, exc_info=error)
        if is_api(request):
            return error_response(ours)
        page: HTTPResponse = request.app.ctx.error_page(request, ours)
        return page
