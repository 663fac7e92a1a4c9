"""Where the API asks for a key, the browser asks once and keeps a session cookie."""

import asyncio

from sanic import Blueprint, HTTPResponse
from sanic.response import redirect

from web.front import Req
from web.guards import COOKIE, Guards
from web.operations import Answer, Body, Operation, describes
from web.schemas import ANY_OBJECT
from web.ui.templating import page

bp = Blueprint("login")
_SESSION_SECONDS = 30 * 86400
_WRONG_KEY_SECONDS = 0.5  # slows guessing down
_HTML = Answer("A page.", media_type="text/html")


@bp.get("/login")
@describes(Operation("Ask for the key", "browser", (_HTML,)))
async def ask(request: Req) -> HTTPResponse:
    if not request.app.ctx.guards.need_key:
        return redirect("/")
    return page(request, "login.html", {"wrong": False})


@bp.post("/login")
@describes(
    Operation(
        "Begin a session",
        "browser",
        (_HTML, Answer("To the start page.", 303, media_type="text/html")),
        body=Body("application/x-www-form-urlencoded", ANY_OBJECT),
        errors={401: "The key is not known."},
    )
)
async def enter(request: Req) -> HTTPResponse:
    guards: Guards = request.app.ctx.guards
    key = str(request.form.get("key", "")).strip() if request.form else ""
    if not guards.is_key(key):
        await asyncio.sleep(_WRONG_KEY_SECONDS)
        return page(request, "login.html", {"wrong": True}, status=401)
    response = redirect("/", status=303)
    response.add_cookie(
        COOKIE,
        guards.session_of(key),
        httponly=True,
        samesite="Strict",
        secure=request.scheme == "https",
        max_age=_SESSION_SECONDS,
    )
    return response


@bp.post("/logout")
@describes(
    Operation("End the session", "browser", (Answer("To the form.", 303, media_type="text/html"),))
)
async def leave(request: Req) -> HTTPResponse:
    response = redirect("/login", status=303)
    response.delete_cookie(COOKIE)
    return response
