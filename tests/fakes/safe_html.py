"""Looks into HTML for anything that would run, load or lead elsewhere, as a browser reads it."""

import html
import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

_FORBIDDEN = frozenset(
    [
        "script",
        "svg",
        "iframe",
        "object",
        "embed",
        "base",
        "frame",
        "applet",
        "template",
        "annotation-xml",
        "maction",
    ]
)
_ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href"}
_RUNS = re.compile(r"(?:java|vb|live)script:|data:text|data:image/svg", re.IGNORECASE)


class _Finder(HTMLParser):
    def __init__(self, own: tuple[str, ...], styles: int) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._own = own
        self._styles = styles

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shown = self.get_starttag_text() or tag
        values = {name.lower(): value or "" for name, value in attrs}
        is_own = tag in {"script", "form", "svg"} and shown.startswith(self._own)
        if tag in _FORBIDDEN and not is_own:
            self.found.append(shown)
        if tag == "style":
            self._styles -= 1
            if self._styles < 0:
                self.found.append(shown)
        if tag == "meta" and "refresh" in values.get("http-equiv", "").lower():
            self.found.append(shown)
        for name, value in values.items():
            plain = re.sub(r"[\x00-\x20]", "", html.unescape(value))
            if (
                name.startswith("on")
                or name in {"style", "srcdoc", "formaction"}
                or (name in _ADDRESSES and _RUNS.search(plain))
            ):
                self.found.append(shown)


def dangers(text: str, own: tuple[str, ...] = (), *, styles: int = 0) -> list[str]:
    """Start tags that are dangerous.

    `own` are beginnings of tags that our templates write, `styles` how many style elements.
    """
    finder = _Finder(own, styles)
    finder.feed(text)
    finder.close()
    return finder.found


def rendered(markdown: str) -> str:
    """The Markdown as the most trusting of viewers shows it: raw HTML and all."""
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False})
    return str(parser.enable(["table", "strikethrough"]).render(markdown))
