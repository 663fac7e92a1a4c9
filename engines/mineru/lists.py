"""MinerU's lists and tables of contents as Markdown lists."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engines.mineru.inline import plain_text, to_markdown

Node = Mapping[str, Any]

_INDENT = "    "
_MAX_DEPTH = 8
# What MinerU leaves at the head of an item, and Markdown takes for a mark of a list.
_NUMBER = re.compile(r"\s*(\d{1,9})([.)])\s+")
_BULLET = re.compile(r"\s*[-*+•·‣◦▪■●○–—]\s+")


def list_markdown(node: Node) -> str:
    """The list with its nested ones; an item keeps its number, any other mark becomes a dash."""
    return "\n".join(_lines(node, "list", 0))


def index_markdown(node: Node) -> str:
    """The table of contents, one item a line."""
    return "\n".join(_lines(node, "index", 0))


def _lines(node: Node, nested: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    for child in node["content"]:
        if child["type"] == nested:
            yield from _lines(child, nested, depth + 1)
        elif plain_text(child["content"]).strip():
            yield _INDENT * depth + _item(child["content"])


def _item(spans: Any) -> str:
    text = plain_text(spans)
    number = _NUMBER.match(text)
    if number is not None:
        return f"{number[1]}{number[2]} {_after(spans, number.end())}"
    bullet = _BULLET.match(text)
    return f"- {_after(spans, bullet.end() if bullet else 0)}"


def _after(spans: Any, characters: int) -> str:
    """The spans without their first characters, on one line."""
    left = []
    for span in spans:
        content = span["content"]
        if characters and isinstance(content, str):
            cut = content[characters:]
            characters = max(0, characters - len(content))
            if not cut:
                continue
            span = {**span, "content": cut}  # noqa: PLW2901 - the same span, shorter
        left.append(span)
    return " ".join(to_markdown(left).split())
