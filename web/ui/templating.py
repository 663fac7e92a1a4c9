"""Jinja templates: escaping always on, assets named by their content so that browsers keep them."""

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sanic import HTTPResponse, html

from shared.errors import QuireError
from web.front import App, Req
from web.openapi import installed_version
from web.ui.languages import LANGUAGES, Words, language_of, words_of
from web.ui.preferences import theme_of

_HERE = Path(__file__).parent.parent
_HIT_BEGIN, _HIT_END = "\u2068", "\u2069"


def install_templates(app: App) -> None:
    """Prepare the templates for this application."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bytes": size_text,
        "seconds": duration_text,
        "ago": ago_text,
        "clock": clock_text,
        "number": "{:,}".format,
        "hits": marked_hits,
        "ticks": code_in_ticks,
    }
    environment.globals["asset"] = asset
    environment.globals["version"] = installed_version()
    app.ctx.templates = environment
    app.ctx.error_page = error_page


def page(
    request: Req, template: str, values: Mapping[str, Any], *, status: int = 200
) -> HTTPResponse:
    """A page from a template."""
    words = words_of(language_of(request))
    rendered = request.app.ctx.templates.get_template(template).render(
        _=words,
        language=words.language,
        languages=LANGUAGES,
        theme=theme_of(request),
        path=request.path,
        here=request.path + (f"?{request.query_string}" if request.query_string else ""),
        signed_in=request.app.ctx.guards.need_key and "quire_session" in request.cookies,
        **values,
    )
    return html(rendered, status=status)


def error_page(request: Req, error: QuireError) -> HTTPResponse:
    """An error for a person who opened an address in the browser."""
    return page(
        request, "error.html", {"status": error.status, "message": str(error)}, status=error.status
    )


@cache
def asset(name: str) -> str:
    """The address of a static file with a mark of its content."""
    mark = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={mark}"


def marked_hits(snippet: str) -> Markup:
    """A search snippet with its hits in <mark>."""
    text = str(escape(snippet))
    return Markup(  # noqa: S704  escaped one line above
        text.replace(_HIT_BEGIN, "<mark>").replace(_HIT_END, "</mark>")
    )


def code_in_ticks(text: str) -> Markup:
    """A sentence with what stands in backticks as <code>, which may break behind commas."""
    parts = str(escape(text)).split("`")
    for at in range(1, len(parts), 2):
        parts[at] = f"<code>{parts[at].replace(',', ',<wbr>')}</code>"
    return Markup("".join(parts))  # noqa: S704  escaped above


def size_text(count: float) -> str:
    """1536 as "1.5 KB"."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def duration_text(seconds: float | None) -> str:
    """83.2 as "1 min 23 s"."""
    if seconds is None:
        return ""
    if seconds < 0.095:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def ago_text(moment: float, words: Words) -> str:
    """How long ago, for a person; a date when it is more than a month."""
    past = max(0.0, time.time() - moment)
    if past < 60:
        return words("just now")
    if past < 3600:
        return words.count("{n} minute ago", "{n} minutes ago", int(past // 60))
    if past < 86400:
        return words.count("{n} hour ago", "{n} hours ago", int(past // 3600))
    if past < 30 * 86400:
        return words.count("yesterday", "{n} days ago", int(past // 86400))
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def clock_text(moment: float) -> str:
    """The moment for <time datetime>."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
