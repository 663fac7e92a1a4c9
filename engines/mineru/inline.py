"""MinerU's spans as inline Markdown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from engines.raw_page import escape_markdown

Span = Mapping[str, Any]

_MARKS = {"bold": "**", "italic": "*", "emphasis": "*", "strikethrough": "~~"}
_TAGS = {"superscript": "sup", "subscript": "sub"}
# Emphasis must begin and end at a letter or digit, or Markdown shows its marks.
_EDGES = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
_WEB = re.compile(r"(?:https?://|mailto:)[^\s<>\\]+", re.IGNORECASE)
_MAX_DEPTH = 4  # a link holds spans, which hold none


def to_markdown(spans: Sequence[Span], depth: int = 0) -> str:
    """The spans as Markdown that shows just their text, styles, formulas and links."""
    parts: list[str] = []
    for number, span in enumerate(spans):
        following = plain_text(spans[number + 1 : number + 2])
        parts.append(_span(span, following, depth, starts=not "".join(parts).strip()))
    return "".join(parts)


def plain_text(content: Any, depth: int = 0) -> str:
    """The bare text of spans (or of what is a string already)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence) or depth > _MAX_DEPTH:
        return ""
    return "".join(plain_text(span["content"], depth + 1) for span in content)


def _span(span: Span, following: str, depth: int, *, starts: bool) -> str:
    kind, content = span["type"], span["content"]
    if kind == "equation_inline":
        return formula(str(content), following)
    if kind == "code_inline":
        return _code(str(content))
    if kind == "hyperlink":
        return _link(str(span.get("url", "")), content, depth)
    return _text(str(content), span.get("styles", ()), starts=starts)


def formula(latex: str, following: str = "") -> str:
    r"""LaTeX between dollars, or between \( and \) where a dollar would not count."""
    latex = " ".join(latex.split())
    if following[:1].isdigit() or "$" in latex:
        return rf"\({latex}\)"
    return f"${latex}$"


def _code(text: str) -> str:
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _link(url: str, content: Any, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return ""
    label = to_markdown(content, depth + 1)
    if not _WEB.fullmatch(url) or not label.strip():
        return label
    return f"[{label}](<{url}>)"


def _text(text: str, styles: Sequence[str], *, starts: bool) -> str:
    marks = "".join(_MARKS[style] for style in styles if style in _MARKS)  # underlining has none
    edges = _EDGES.match(text)
    if marks and edges is not None and edges[2]:
        before = _escaped(edges[1], starts=starts)
        shown = f"{before}{marks}{_escaped(edges[2])}{marks[::-1]}{_escaped(edges[3])}"
    else:
        shown = _escaped(text, starts=starts)
    for style in styles:
        if style in _TAGS and text.strip():
            shown = f"<{_TAGS[style]}>{shown}</{_TAGS[style]}>"
    return shown


def _escaped(text: str, *, starts: bool = False) -> str:
    """What makes a list or a heading does so only where the block begins."""
    shown = escape_markdown(text) if starts else escape_markdown("x" + text)[1:]
    return shown.replace("$", "\\$") if text.count("$") > 1 else shown  # two make a formula
