"""Lines joined into paragraphs."""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

from engines.reading_order import Item, rows_of

_HYPHEN = re.compile(r"[^\W\d_]-$")
_CJK = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]"
_CJK_END, _CJK_START = re.compile(_CJK + "$"), re.compile(_CJK)
BULLET = re.compile(r"\s*(?:[•●▪·■◦‣]\s*|[-–]\s+)")
NUMBERED = re.compile(r"\s*(?:\d{1,3}[.)]|\(?[a-z]\))\s")


def join_lines(lines: Sequence[str]) -> str:
    """One line of text: words hyphenated at a line's end are joined, CJK needs no space.

    Also not beside a number or a Latin word: such a line ended where it was full.
    """
    text = ""
    for line in (each.strip() for each in lines):
        if not line:
            continue
        if text and _HYPHEN.search(text) and line[0].islower():
            text = text[:-1] + line
        elif text and not (_CJK_END.search(text) or _CJK_START.match(line)):
            text += " " + line
        else:
            text += line
    return text


def starts_item(text: str) -> bool:
    """Whether a line begins with a bullet or a number of a list."""
    return bool(BULLET.match(text) or NUMBERED.match(text))


def split_paragraphs(items: Sequence[Item]) -> list[list[list[Item]]]:
    """Paragraphs, each a list of rows, each a list of items from left to right.

    A paragraph ends before a wider gap, another size of letters, an indent, a bullet, and after
    a line that stops early.
    """
    rows = rows_of(items)
    left, right = min(item.x0 for item in items), max(item.x1 for item in items)
    middles = [fmean(item.middle_y for item in row) for row in rows]
    heights = [median(item.height for item in row) for row in rows]
    steps = [after - before for before, after in pairwise(middles)]
    step = median(steps) if steps else 0.0
    paragraphs: list[list[list[Item]]] = []
    for number, row in enumerate(rows):
        begins = number == 0
        if not begins:
            height, above = heights[number], heights[number - 1]
            indent, indent_above = row[0].x0 - left, rows[number - 1][0].x0 - left
            begins = (
                middles[number] - middles[number - 1] > 1.35 * step
                or abs(height - above) > 0.35 * min(height, above)
                or (0.8 * height < indent < 4 * height and indent_above < 0.5 * height)
                or right - max(item.x1 for item in rows[number - 1]) > 0.25 * (right - left)
                or starts_item(row[0].text)
            )
        if begins:
            paragraphs.append([])
        paragraphs[-1].append(row)
    return paragraphs
