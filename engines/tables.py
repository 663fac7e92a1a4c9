"""Tables from cells that stand in rows and columns, as HTML with column spans."""

from collections.abc import Sequence
from html import escape
from statistics import median

from engines.reading_order import Item, gaps, rows_of

Cells = dict[int, tuple[int, list[str]]]  # by first column: the last column, and the texts


def table_of(items: Sequence[Item]) -> str:
    """An HTML table of the items; columns are divided where no narrow item stands."""
    line = median(item.height for item in items)
    left, right = min(item.x0 for item in items), max(item.x1 for item in items)
    rows = rows_of(items)
    # A heading over several columns would hide the gaps between them.
    narrow = [
        item for item in items if item.width < 0.6 * (right - left) and not _spans(item, rows)
    ] or list(items)
    edges = [
        (start + end) / 2
        for start, end in gaps(((i.x0, i.x1) for i in narrow), max(0.35 * line, 1e-6))
    ]
    cells = _with_continuations([_cells(row, edges, line) for row in rows])
    return f"<table>{''.join(_row(row, len(edges)) for row in cells)}</table>"


def rows_html(rows: Sequence[Sequence[str | None]]) -> str:
    """An HTML table of plain cells; "" when there are none."""
    if not rows:
        return ""
    return f"<table>{''.join('<tr>' + ''.join(map(_cell, row)) + '</tr>' for row in rows)}</table>"


def _spans(item: Item, rows: list[list[Item]]) -> bool:
    """Whether at least two rows have two cells under or over this one."""
    covering = sum(
        sum(item.x0 < other.middle_x < item.x1 for other in row if other is not item) > 1
        for row in rows
        if item not in row
    )
    return covering >= min(2, len(rows) - 1)


def _cells(row: list[Item], edges: list[float], line: float) -> Cells:
    cells: Cells = {}
    for item in row:
        first = sum(item.x0 + 0.3 * line > edge for edge in edges)
        last = max(first, sum(item.x1 - 0.3 * line > edge for edge in edges))
        known, texts = cells.get(first, (first, []))
        cells[first] = max(known, last), [*texts, item.text]
    return cells


def _with_continuations(rows: list[Cells]) -> list[Cells]:
    """Rows of words in one cell alone, not the first, go on with that cell of the row above."""
    kept: list[Cells] = []
    for row in rows:
        ((column, (last, texts)),) = row.items() if len(row) == 1 else ((0, (0, [""])),)
        above = kept[-1].get(column) if kept and column else None
        if above and len(kept[-1]) > 1 and any(c.isalpha() for c in "".join(texts)):
            kept[-1][column] = max(above[0], last), [*above[1], *texts]
        else:
            kept.append(row)
    return kept


def _row(cells: Cells, most: int) -> str:
    html, column = "", 0
    while column <= most:
        last, texts = cells.get(column, (column, []))
        html += _cell(" ".join(texts), span=last - column + 1)
        column = last + 1
    return f"<tr>{html}</tr>"


def _cell(text: str | None, span: int = 1) -> str:
    attribute = f' colspan="{span}"' if span > 1 else ""
    return f"<td{attribute}>{escape(' '.join((text or '').split()), quote=False)}</td>"
