"""Tables of the layout model, improved: rows that share a cell, and tables that it did not see."""

import re
from collections.abc import Sequence
from statistics import median

from engines.reading_order import Item, gaps, rows_of
from engines.tables import table_of

_ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
_CELL = re.compile(r"<td>(.*?)</td>", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>")
_LEAST_ROWS = 4


def split_rows(table: str) -> str:
    """The table with rows divided whose cells hold one figure under another.

    A rule between groups of rows, but not between rows, makes the model take a group for one row.
    A row is divided where at least three cells, and half of all, have as many lines as each other,
    most of them figures, and all others a single one: those then span the rows.
    """
    return _ROW.sub(lambda match: _divided(match[0], match[1]), table)


def _divided(whole: str, inside: str) -> str:
    if _CELL.sub("", inside).strip():  # spans or headers: left as they are
        return whole
    cells = [_BREAK.split(cell) for cell in _CELL.findall(inside)]
    stacked = [cell for cell in cells if len(cell) > 1]
    if len(stacked) < 3 or 2 * len(stacked) < len(cells) or len({len(c) for c in stacked}) > 1:
        return whole
    count = len(stacked[0])
    figures = sum(_is_figure(part) for cell in stacked for part in cell)
    if 2 * figures < count * len(stacked):
        return whole
    rows = []
    for number in range(count):
        row = ""
        for cell in cells:
            if len(cell) > 1:
                row += f"<td>{cell[number]}</td>"
            elif number == 0:
                row += f'<td rowspan="{count}">{cell[0]}</td>'
        rows.append(f"<tr>{row}</tr>")
    return "\n".join(rows)


def _is_figure(text: str) -> bool:
    """Whether a text is mostly digits: an address has some, too."""
    digits = sum(c.isdigit() for c in text)
    return 0 < digits >= sum(c.isalpha() for c in text)


def key_values(lines: Sequence[Sequence[Item]]) -> str:
    """A table of two columns made of lines, each a list of its pieces; "" when they are none.

    At least four lines, and half of all, have two pieces, divided at the same place everywhere.
    A line without a key goes on with the value above it.
    """
    pairs = sum(len(line) == 2 for line in lines)
    items = [item for line in lines for item in line]
    if pairs < _LEAST_ROWS or 2 * pairs < len(lines) or any(len(line) > 2 for line in lines):
        return ""
    height = median(item.height for item in items)
    if len(gaps(((item.x0, item.x1) for item in items), height)) != 1:
        return ""
    if rows_of(items)[0][0].x0 > min(item.x0 for item in items) + height:
        return ""  # the first line has no key
    return table_of(items)
