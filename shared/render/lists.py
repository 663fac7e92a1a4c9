"""List blocks: lines with marks to nested items, to Markdown and back to HTML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.render.escape import escape_line, safe_inline
from shared.render.inline import inline_html, inline_text
from shared.render.lines import join_pair

_ITEM = re.compile(
    r"(?P<indent>\s*)(?:(?P<bullet>[-*+•◦▪●○■□–—·‣⁃∙])|(?P<number>\d{1,9})(?P<stop>[.)]))"
    r"(?:\s+(?P<text>.*)|$)"
)
_OTHER = re.compile(
    r"(?P<indent>\s*)(?P<text>[(（]?\w{1,4}[)）]\s.*)"
)  # (a), iv): no Markdown mark
_MAX_DEPTH = 6
_MAX_ITEMS = 5_000


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `mark` is "-", or a number with its stop ("3."), or "" for text before the list."""

    depth: int
    mark: str
    text: str


def items_of(content: str) -> list[Item]:
    """The items of a list block. Lines without a mark continue the item above.

    Where no line has a mark each line is an item.
    """
    lines = [line for line in content.expandtabs(4).split("\n") if line.strip()]
    if not any(_ITEM.match(line) or _OTHER.match(line) for line in lines):
        return [Item(0, "-", line.strip()) for line in lines]
    items: list[Item] = []
    indents: list[int] = []
    for line in lines:
        match = _ITEM.match(line) or _OTHER.match(line)
        if match is None or len(items) >= _MAX_ITEMS:
            last = items.pop() if items else Item(0, "", "")
            left, glue, right = join_pair(last.text, line)
            items.append(Item(last.depth, last.mark, f"{left}{glue}{right}"))
            continue
        indent = len(match["indent"])
        while indents and indent < indents[-1]:
            indents.pop()
        if not indents or indent > indents[-1] + 1:
            indents.append(indent)
        named = match.groupdict()
        mark = f"{named['number']}{named['stop']}" if named.get("number") else "-"
        items.append(Item(min(len(indents), _MAX_DEPTH) - 1, mark, (named["text"] or "").strip()))
    return items


def list_markdown(content: str) -> str:
    """The list in Markdown."""
    lines: list[str] = []
    offsets: list[int] = []  # where the text of an item at each depth begins
    for item in items_of(content):
        del offsets[item.depth :]
        indent = offsets[-1] if offsets else 0
        text = safe_inline(escape_line(item.text))
        if not item.mark:
            lines += [text, ""]
            continue
        lines.append(f"{' ' * indent}{item.mark} {text}".rstrip())
        offsets.append(indent + len(item.mark) + 1)
    return "\n".join(lines)


def list_text(content: str) -> str:
    """The list as text, marks kept."""
    return "\n".join(
        f"{'  ' * item.depth}{item.mark} {inline_text(item.text)}".rstrip()
        if item.mark
        else inline_text(item.text)
        for item in items_of(content)
    )


def list_html(content: str, attributes: str) -> str:
    """The list as nested `<ul>` and `<ol>`; `attributes` go on the outermost element."""
    return f"<div{attributes}>{''.join(_list_parts(items_of(content)))}</div>"


def _list_parts(items: list[Item]) -> Iterator[str]:
    open_tags: list[str] = []
    for item in items:
        tag = "ul" if item.mark in {"-", ""} else "ol"
        depth = min(item.depth, len(open_tags))
        if not item.mark:
            yield f"<p>{inline_html(item.text)}</p>"
            continue
        while len(open_tags) > depth + 1:
            yield f"</li></{open_tags.pop()}>"
        if len(open_tags) == depth + 1 and open_tags[-1] != tag:
            yield f"</li></{open_tags.pop()}>"
        elif len(open_tags) == depth + 1:
            yield "</li>"
        if len(open_tags) == depth:
            open_tags.append(tag)
            number = item.mark[:-1]
            yield f'<ol start="{int(number)}">' if tag == "ol" else "<ul>"
        yield f"<li>{inline_html(item.text)}"
    while open_tags:
        yield f"</li></{open_tags.pop()}>"
