"""Tables of scans whose cells are divided by printed rules, from the rules and the lines read."""

import itertools
from collections.abc import Sequence
from html import escape

import numpy as np

from engines.frame import Box
from engines.grids import split_rows
from engines.paragraphs import join_lines
from engines.rapid.arrays import Floats
from engines.reading_order import Item, rows_of
from engines.regions import Line, Region, holds
from engines.rules import Cell, Grid

_LEAST_CELLS = 4  # with text, in two rows and two columns at least
_LEAST_FILLED = 0.25  # of the cells; drawings leave nearly all empty
_MOST_LINES = 5  # in a filled cell, on the average; columns of prose between rules have more
_INSIDE = 0.4  # heights of a line by which a rule stands within its box, not at its end
_BREAK = "<br>"


def divide_at_rules(boxes: Floats, grids: Sequence[Grid]) -> Floats:
    """Boxes of lines, N x 4 x 2 pixels, cut where the border of a cell goes through them.

    The detector joins the texts of narrow cells that stand side by side.
    """
    if not grids or not len(boxes):
        return boxes
    return np.concatenate([_divided(box, grids) for box in boxes])


def _divided(box: Floats, grids: Sequence[Grid]) -> Floats:
    x, y = (float(value) for value in box.mean(axis=0))
    grid = next((g for g in grids if holds(g.box, (x, y, x, y))), None)
    if grid is None:
        return box[None]
    left, right = float(box[[0, 3], 0].mean()), float(box[[1, 2], 0].mean())
    inside = _INSIDE * float(np.linalg.norm(box[3] - box[0]))
    borders = {
        border
        for cell in grid.cells
        if cell.box[1] <= y < cell.box[3]
        for border in (cell.box[0], cell.box[2])
        if left + inside < border < right - inside
    }
    edges = [0.0, *((x - left) / (right - left) for x in sorted(borders)), 1.0]
    top, bottom = box[1] - box[0], box[2] - box[3]
    return np.stack(
        [
            [box[0] + a * top, box[0] + b * top, box[3] + b * bottom, box[3] + a * bottom]
            for a, b in itertools.pairwise(edges)
        ]
    ).astype(np.float32)


def ruled_tables(
    grids: Sequence[Grid], lines: Sequence[Line], scale: float
) -> list[tuple[Region, list[int]]]:
    """The grids that hold text, each as a table with the numbers of its lines.

    `scale` turns pixels of the grids into points of the lines.
    """
    found = []
    for grid in sorted(grids, key=lambda each: each.box[1]):
        texts: dict[Cell, list[int]] = {}
        for number, line in enumerate(lines):
            cell = next((c for c in grid.cells if holds(_scaled(c.box, scale), line.box)), None)
            if cell is not None:
                texts.setdefault(cell, []).append(number)
        if not _is_table(grid, texts):
            continue
        members = sorted(number for numbers in texts.values() for number in numbers)
        within = {cell: [lines[n] for n in numbers] for cell, numbers in texts.items()}
        table = _table(_parted(grid, within, scale))
        region = Region("table", _scaled(grid.box, scale), tuple(lines[n] for n in members), table)
        found.append((region, members))
    return found


def _is_table(grid: Grid, texts: dict[Cell, list[int]]) -> bool:
    return (
        len(texts) >= max(_LEAST_CELLS, _LEAST_FILLED * len(grid.cells))
        and len({cell.row for cell in texts}) > 1
        and len({cell.column for cell in texts}) > 1
        and sum(map(len, texts.values())) <= _MOST_LINES * len(texts)
    )


def _parted(grid: Grid, texts: dict[Cell, list[Line]], scale: float) -> dict[Cell, list[Line]]:
    """All cells with their lines; a row with one line in each of its columns is no merged cell.

    Such is a row of headings on dark ground, whose borders are lighter than the ground.
    """
    starts = sorted({cell.box[0] for cell in grid.cells})
    ends = dict(zip(starts, [*starts[1:], grid.box[2]], strict=True))
    found: dict[Cell, list[Line]] = {}
    for cell in grid.cells:
        lines = texts.get(cell, [])
        columns = [x for x in starts if cell.box[0] <= x < cell.box[2]]
        parts = {
            Cell(cell.row, starts.index(x), 1, 1, (x, cell.box[1], ends[x], cell.box[3])): [
                line for line in lines if x * scale <= line.box[0] < line.box[2] <= ends[x] * scale
            ]
            for x in columns
        }
        apart = cell.rows == 1 and len(lines) == len(columns) and all(parts.values())
        found |= parts if apart and len(columns) > 1 else {cell: lines}
    return found


def _table(texts: dict[Cell, list[Line]]) -> str:
    rows: dict[int, str] = {}
    for cell, lines in texts.items():
        items = [Item(*line.box, line.text) for line in lines]
        read = [" ".join(item.text for item in row) for row in rows_of(items)]
        spans = "".join(
            f' {name}="{count}"'
            for name, count in (("colspan", cell.columns), ("rowspan", cell.rows))
            if count > 1
        )
        text = _BREAK.join(escape(line, quote=False) for line in read)
        rows[cell.row] = rows.get(cell.row, "") + f"<td{spans}>{text}</td>"
    count = max(cell.row + cell.rows for cell in texts)
    whole = "".join(f"<tr>{rows.get(row, '')}</tr>" for row in range(count))
    return f"<table>{_joined(split_rows(whole))}</table>"


def _joined(rows: str) -> str:
    """The rows with the lines of each cell as one text."""
    parts = rows.split("<td")
    return parts[0] + "".join("<td" + _joined_cell(part) for part in parts[1:])


def _joined_cell(part: str) -> str:
    start, _, rest = part.partition(">")
    text, end, after = rest.partition("</td>")
    return f"{start}>{join_lines(text.split(_BREAK))}{end}{after}"


def _scaled(box: Box, scale: float) -> Box:
    return box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale
