"""Grids of printed rules in the pixels of a scan: their rows, columns and merged cells.

Rules are strokes longer than letters are high, so that opening the ink with a long thin kernel
leaves them alone (a classic of the field, such as Gatos et al., ICDAR 2005). Where strokes of both
directions meet, they are the borders of cells; a border that is missing merges two cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from engines.frame import Box
from engines.rapid.arrays import Pixels

_LONG = 1.6  # heights of a line's box: a shorter stroke may be part of a letter
_NEAR = 0.35  # heights within which strokes are one rule: double rules, uneven ones
_DRAWN = 0.7  # share of a border that must be ink
_THICK = 0.5  # heights; a thicker stroke is a row or column on dark ground: both its edges count
_DARK = 0.5  # of the paper's gray: ground on which headings stand in light letters
_MOST_CELLS = 3000  # more in one grid is a pattern, such as graph paper, not a table


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell, merged or not: its first row and column, what it spans, its box in pixels."""

    row: int
    column: int
    rows: int
    columns: int
    box: Box


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of at least two rows and two columns: its box, and its cells row by row."""

    box: Box
    cells: tuple[Cell, ...]


def find_grids(image: Pixels, height: float) -> list[Grid]:
    """The grids of an upright page, H x W x 3 RGB, whose lines' boxes are `height` pixels high."""
    if height < 4:
        return []
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    window = 2 * round(height) + 1
    ink = cv2.adaptiveThreshold(
        gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, window, 12
    )
    # Within a dark area nothing is darker than its surroundings.
    ink[gray < _DARK * float(np.median(gray))] = 255
    long = round(_LONG * height)
    across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
    down = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
    reach = 2 * max(1, round(0.1 * height)) + 1  # strokes that nearly meet do meet
    both = cv2.dilate(across | down, np.ones((reach, reach), np.uint8))
    _, _, found, _ = cv2.connectedComponentsWithStats(both)
    grids = []
    for x, y, wide, high, _ in found[1:].tolist():
        if wide < 2 * long or high < long:
            continue
        part = np.s_[y : y + high, x : x + wide]
        grid = _grid(across[part], down[part], height)
        if grid is not None:
            grids.append(_moved(grid, x, y))
    return grids


def _grid(across: Pixels, down: Pixels, height: float) -> Grid | None:
    near = _NEAR * height
    ys, from_left = _places(across, 1, near, height)
    xs, from_top = _places(down, 0, near, height)
    # Outer borders may be missing: the rules of the other direction end there.
    xs, ys = _with_ends(xs, from_left, 2 * near), _with_ends(ys, from_top, 2 * near)
    if min(len(xs), len(ys)) < 3 or (len(xs) - 1) * (len(ys) - 1) > _MOST_CELLS:
        return None
    boxes = _cells(across, down, xs, ys, near)
    if boxes is None or len(boxes) < 4:
        return None
    return Grid((xs[0], ys[0], xs[-1], ys[-1]), _numbered(boxes))


def _places(
    strokes: Pixels, axis: int, near: float, height: float
) -> tuple[list[float], tuple[float, float]]:
    """Where strokes lie across their direction, in order; and from where to where they run."""
    _, _, stats, middles = cv2.connectedComponentsWithStats(strokes)
    if len(stats) <= 1:
        return [], (0.0, 0.0)
    lies: list[float] = []
    for (edge, thick), middle in zip(
        stats[1:, [axis, 2 + axis]].tolist(), middles[1:, axis].tolist(), strict=True
    ):
        lies += [middle] if thick <= _THICK * height else [edge, edge + thick - 1]
    starts = stats[1:, 1 - axis].astype(float)
    ends = starts + stats[1:, 3 - axis]
    places: list[list[float]] = []
    for place in sorted(lies):
        if places and place - places[-1][-1] <= near:
            places[-1].append(place)
        else:
            places.append([place])
    return [sum(each) / len(each) for each in places], (float(starts.min()), float(ends.max()))


def _with_ends(places: list[float], ends: tuple[float, float], near: float) -> list[float]:
    first, last = ends
    if not places or last <= first:
        return places
    before = [first] if places[0] - first > near else []
    after = [last] if last - places[-1] > near else []
    return [*before, *places, *after]


def _cells(
    across: Pixels, down: Pixels, xs: Sequence[float], ys: Sequence[float], near: float
) -> list[Box] | None:
    rows, columns = len(ys) - 1, len(xs) - 1
    owner = {place: place for place in product(range(rows), range(columns))}

    def root(place: tuple[int, int]) -> tuple[int, int]:
        while owner[place] != place:
            place = owner[place]
        return place

    for row, column in owner:
        left, right = xs[column], xs[column + 1]
        top, bottom = ys[row], ys[row + 1]
        if column + 1 < columns and not _drawn(down, right, top, bottom, near):
            owner[root((row, column + 1))] = root((row, column))
        if row + 1 < rows and not _drawn(across.T, bottom, left, right, near):
            owner[root((row + 1, column))] = root((row, column))
    merged: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for place in owner:
        merged.setdefault(root(place), []).append(place)
    boxes = []
    for members in merged.values():
        first, last = min(members), max(members)
        if len(members) != (last[0] - first[0] + 1) * (last[1] - first[1] + 1):
            return None  # not rectangles: a drawing
        boxes.append((xs[first[1]], ys[first[0]], xs[last[1] + 1], ys[last[0] + 1]))
    return boxes


def _numbered(boxes: Sequence[Box]) -> tuple[Cell, ...]:
    """The cells with their rows and columns; strokes that divide no cells do not count."""
    xs = {x: number for number, x in enumerate(sorted({box[0] for box in boxes}))}
    ys = {y: number for number, y in enumerate(sorted({box[1] for box in boxes}))}
    cells = [
        Cell(
            ys[box[1]],
            xs[box[0]],
            sum(box[1] <= y < box[3] for y in ys),
            sum(box[0] <= x < box[2] for x in xs),
            box,
        )
        for box in boxes
    ]
    return tuple(sorted(cells, key=lambda cell: (cell.row, cell.column)))


def _drawn(strokes: Pixels, at: float, start: float, end: float, near: float) -> bool:
    """Whether a stroke runs down the column `at` from `start` to `end`."""
    first, last = int(start + near), int(np.ceil(end - near))
    if last <= first:
        first, last = int(start), int(np.ceil(end))
    band = strokes[first:last, max(0, int(at - near)) : int(np.ceil(at + near)) + 1]
    return bool(band.size) and float((band > 0).any(axis=1).mean()) >= _DRAWN


def _moved(grid: Grid, x: float, y: float) -> Grid:
    def moved(box: Box) -> Box:
        return box[0] + x, box[1] + y, box[2] + x, box[3] + y

    return Grid(
        moved(grid.box),
        tuple(Cell(c.row, c.column, c.rows, c.columns, moved(c.box)) for c in grid.cells),
    )
