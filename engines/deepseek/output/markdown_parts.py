"""A section's Markdown as typed parts: headings, tables, formulas, lists, code, paragraphs."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.blocks import BlockType

MOST_CHARACTERS = 200_000  # of one part; what comes after is left out

_TABLE = re.compile(r"<table\b", re.IGNORECASE)
_TABLE_END = re.compile(r"</table\s{0,8}>", re.IGNORECASE)
_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_BULLET = re.compile(r"(?:[-*+•·]|\d{1,4}[.)])[ \t]")
_RULE = re.compile(r"\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*){0,200}\|?")
_INLINE = re.compile(r"\\\(([^$\\]{1,200}(?:\\[^()$][^$\\]{0,200}){0,60})\\\)(?!\d)")
_FENCE = "```"


@dataclass(frozen=True, slots=True)
class Part:
    """`content` as `shared.blocks.Block` wants it for the type; `level` of headings, else 0."""

    type: BlockType
    content: str
    level: int = 0


def parts_of(text: str) -> Iterator[Part]:
    """The parts in order."""
    place = 0
    while place < len(text):
        begin = _TABLE.search(text, place)
        if begin is None:
            yield from _flow(text[place:])
            return
        yield from _flow(text[place : begin.start()])
        end = _TABLE_END.search(text, begin.end())
        stop = end.end() if end else len(text)
        table = text[begin.start() : stop][:MOST_CHARACTERS]
        yield Part(BlockType.TABLE, table if end else table + "</table>")
        place = stop


def formula_of(text: str) -> str | None:
    """The LaTeX when the text is one displayed formula and nothing else."""
    text = text.strip()
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if len(text) > 4 and text.startswith(opening) and text.endswith(closing):
            inner = text[2:-2]
            if opening not in inner and closing not in inner:
                return inner.strip()
    return None


def inline(text: str) -> str:
    """Formulas in a line as $...$; the rest as it is."""
    return _INLINE.sub(lambda found: f"${found[1].strip()}$", text)


def _flow(text: str) -> Iterator[Part]:
    """What stands between tables: split at blank lines, and code by its fences."""
    lines: list[str] = []
    code: list[str] | None = None
    for line in text.split("\n"):
        fence = line.lstrip().startswith(_FENCE)
        if code is not None:
            if fence:
                yield Part(BlockType.CODE, "\n".join(code)[:MOST_CHARACTERS])
                code = None
            else:
                code.append(line)
        elif fence:
            yield from _paragraph(lines)
            lines, code = [], []
        elif line.strip():
            if _HEADING.match(line.lstrip()):
                yield from _paragraph(lines)
                lines = []
                yield from _paragraph([line])
            else:
                lines.append(line)
        else:
            yield from _paragraph(lines)
            lines = []
    if code is not None:  # never closed
        yield Part(BlockType.CODE, "\n".join(code)[:MOST_CHARACTERS])
    yield from _paragraph(lines)


def _paragraph(lines: list[str]) -> Iterator[Part]:
    text = "\n".join(line.rstrip() for line in lines).strip()[:MOST_CHARACTERS]
    if not text:
        return
    heading = _HEADING.match(text)
    formula = formula_of(text)
    rows = [line.strip() for line in text.split("\n")]
    if heading:
        yield Part(BlockType.HEADING, inline(text[heading.end() :]), len(heading[1]))
    elif formula is not None:
        yield Part(BlockType.EQUATION, formula)
    elif len(rows) > 1 and "|" in rows[0] and _RULE.fullmatch(rows[1][:2_000]):
        yield Part(BlockType.TABLE, _pipe_table(rows))
    elif _BULLET.match(rows[0]) and all(_BULLET.match(row) for row in rows if row):
        yield Part(BlockType.LIST, inline(text))
    else:
        yield Part(BlockType.TEXT, inline(text))


def _pipe_table(rows: list[str]) -> str:
    """A Markdown table as HTML."""
    made: list[str] = []
    for number, row in enumerate(rows):
        if number == 1:
            continue
        tag = "td" if number else "th"
        cells = [cell.strip().replace("\\|", "|") for cell in _cells(row)]
        made.append("<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>")
    return "<table>" + "".join(made) + "</table>"


def _cells(row: str) -> list[str]:
    row = row.removeprefix("|")
    if row.endswith("|") and not row.endswith("\\|"):
        row = row[:-1]
    return re.split(r"(?<!\\)\|", row)
