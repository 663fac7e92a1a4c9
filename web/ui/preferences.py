"""How a person wants the pages: language, light or dark. Kept in cookies, no script needed."""

from collections.abc import Mapping

from sanic import Blueprint, HTTPResponse
from sanic.response import redirect

from web.front import Req
from web.operations import Answer, Body, Operation, describes
from web.schemas import ANY_OBJECT
from web.ui.languages import LANGUAGE_COOKIE, LANGUAGES

bp = Blueprint("preferences")
THEME_COOKIE = "quire_theme"
THEMES = ("auto", "light", "dark")
_YEAR_SECONDS = 365 * 86400
_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "language": (LANGUAGE_COOKIE, tuple(LANGUAGES)),
    "theme": (THEME_COOKIE, THEMES),
}


@bp.post("/preferences")
@describes(
    Operation(
        "Choose the language or the theme of the browser's pages",
        "browser",
        (Answer("Back to where the person was.", 303, media_type="text/html"),),
        body=Body("application/x-www-form-urlencoded", ANY_OBJECT),
    )
)
async def choose(request: Req) -> HTTPResponse:
    form: Mapping[str, list[str]] = request.form or {}
    chosen = {name: values[0] for name, values in form.items() if values}
    response = redirect(_own_path(chosen.get("to", "/")), status=303)
    for name, (cookie, allowed) in _KINDS.items():
        value = chosen.get(name, "")
        if value in allowed:
            response.add_cookie(
                cookie,
                value,
                httponly=True,
                samesite="Lax",
                secure=request.scheme == "https",
                max_age=_YEAR_SECONDS,
            )
    return response


def theme_of(request: Req) -> str:
    """auto, light or dark."""
    chosen = request.cookies.get(THEME_COOKIE)
    return str(chosen) if chosen in THEMES else "auto"


def _own_path(text: str) -> str:
    """A path of ours to go back to; the start page for anything else."""
    plain = text.isascii() and text.isprintable() and "\\" not in text
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"
