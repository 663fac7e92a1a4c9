"""Inline Markdown of a block as runs of text with their looks, for formats that are not HTML."""

from dataclasses import dataclass

from markdown_it.token import Token

from shared.render.inline import MAX_MARKDOWN_CHARS, cut, inline_tokens

_MARKS = {
    "em_open": "italic",
    "strong_open": "bold",
    "s_open": "strike",
    "link_open": "link",
}
_OWN_LOOKS = {"math_inline": "math", "math_display": "math", "code_inline": "code"}
_TAG_LOOKS = {
    "sup": "superscript",
    "sub": "subscript",
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "code": "code",
}


@dataclass(frozen=True, slots=True)
class Run:
    """Some text that looks alike.

    `looks` are of bold, italic, strike, superscript, subscript, code, math, link. A line break is
    a run of its own. Addresses of links are left out: they come from a stranger's page.
    """

    text: str
    looks: frozenset[str] = frozenset()


def inline_runs(text: str) -> list[Run]:
    """The runs of inline Markdown, in order."""
    text = text.strip()
    if len(text) > MAX_MARKDOWN_CHARS:
        return [Run(cut(text))]
    looks: list[str] = []
    runs = (_run(token, looks) for token in inline_tokens(text))
    return [run for run in runs if run is not None]


def _run(token: Token, looks: list[str]) -> Run | None:
    """The token's text; None for one that only begins or ends a look."""
    if token.type in {"softbreak", "hardbreak"} or token.content == "<br>":
        return Run("\n")
    if token.type == "plain_tag":
        name = token.content.strip("</>")
        _change(looks, _TAG_LOOKS.get(name, ""), ends=token.content.startswith("</"))
        return None
    if token.type in _MARKS:
        _change(looks, _MARKS[token.type], ends=False)
        return None
    if token.type.endswith("_close"):
        _change(looks, _MARKS.get(token.type.replace("_close", "_open"), ""), ends=True)
        return None
    own = _OWN_LOOKS.get(token.type)
    return Run(token.content, frozenset({*looks, own} if own else looks)) if token.content else None


def _change(looks: list[str], look: str, *, ends: bool) -> None:
    if not ends and look:
        looks.append(look)
    elif look in looks:
        looks.remove(look)
