"""Lines of text in the order in which a person reads them, by recursive XY-cut.

After Nagy and Seth (1984): a region is cut along its widest empty band, again and again. Columns
come before rows only where they hold prose; columns of short cells are kept together as a table.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

_DEEPEST = 40  # cuts within cuts; no real page comes near
_MOST_BANDS = 120  # above, the search for a divided band costs more than it finds


@dataclass(frozen=True, slots=True)
class Item:
    """A line of text in a straight frame; units are any, y grows downwards."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    index: int = 0

    @property
    def middle_x(self) -> float:
        """Half way between left and right."""
        return (self.x0 + self.x1) / 2

    @property
    def middle_y(self) -> float:
        """Half way between top and bottom."""
        return (self.y0 + self.y1) / 2

    @property
    def width(self) -> float:
        """From left to right."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.y1 - self.y0


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that belong together; a table's cells where `tabular`."""

    items: tuple[Item, ...]
    tabular: bool = False


def order_items(items: Sequence[Item]) -> list[Group]:
    """The groups of a page in reading order."""
    groups: list[Group] = []
    _cut(list(items), groups, 0)
    return groups


def gaps(intervals: Iterable[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """The empty stretches (start, end) of at least `least` between intervals, in order."""
    found = []
    ordered = sorted(intervals)
    end = ordered[0][1] if ordered else 0.0
    for start, stop in ordered[1:]:
        if start - end >= least:
            found.append((end, start))
        end = max(end, stop)
    return found


def rows_of(items: Sequence[Item]) -> list[list[Item]]:
    """Items that share a baseline, each row from left to right, rows from top to bottom."""
    rows: list[list[Item]] = []
    for item in sorted(items, key=lambda each: each.middle_y):
        if rows and _shares_row(rows[-1], item):
            rows[-1].append(item)
        else:
            rows.append([item])
    return [sorted(row, key=lambda each: each.x0) for row in rows]


def _shares_row(row: list[Item], item: Item) -> bool:
    top, bottom = median(each.y0 for each in row), median(each.y1 for each in row)
    overlap = min(bottom, item.y1) - max(top, item.y0)
    level = top <= item.middle_y <= bottom or overlap > 0.6 * min(bottom - top, item.height)
    return level and not any(
        min(each.x1, item.x1) - max(each.x0, item.x0) > 0.5 * min(each.width, item.width)
        for each in row
    )


def is_tabular(items: Sequence[Item], cuts: Sequence[tuple[float, float]]) -> bool:
    """Whether columns divided by `cuts` are those of a table: short cells side by side."""
    middles = [(start + end) / 2 for start, end in cuts]
    columns: dict[int, list[Item]] = {}
    for item in items:
        columns.setdefault(sum(item.middle_x > x for x in middles), []).append(item)
    rows = rows_of(items)
    shared = sum(len({sum(i.middle_x > x for x in middles) for i in row}) > 1 for row in rows)
    lengths = [fmean(len(item.text) for item in column) for column in columns.values()]
    length = fmean(len(item.text) for item in items)
    short = sum(each < 14 for each in lengths) >= 0.5 * len(lengths)
    return (
        len(rows) >= 2
        and shared >= 0.6 * len(rows)
        and (length < 14 or short or (len(cuts) >= 3 and length < 22))
    )


def _cut(items: list[Item], groups: list[Group], depth: int) -> None:
    if len(items) > 1 and depth < _DEEPEST:
        line = median(item.height for item in items)
        columns = gaps(((item.x0, item.x1) for item in items), max(0.6 * line, 1e-6))
        if len(items) >= 3 and columns:
            _cut_columns(items, columns, line, groups, depth)
            return
        for divide in (_interrupted_gutter, _divided_band, _widest_row_gap, _crossed_gutter):
            parts = [part for part in divide(items, line) if part]
            if len(parts) > 1:
                for part in parts:
                    _cut(part, groups, depth + 1)
                return
    if items:
        groups.append(Group(tuple(items)))


def _cut_columns(
    items: list[Item],
    columns: list[tuple[float, float]],
    line: float,
    groups: list[Group],
    depth: int,
) -> None:
    if is_tabular(items, columns):
        parts = _split_at(items, gaps(((i.y0, i.y1) for i in items), 1.6 * line), vertical=True)
        if len(parts) == 1:
            groups.append(Group(tuple(items), tabular=True))
            return
    else:
        parts = _split_at(items, columns, vertical=False)
    for part in parts:
        _cut(part, groups, depth + 1)


def _split_at(
    items: list[Item], found: list[tuple[float, float]], *, vertical: bool
) -> list[list[Item]]:
    if not found:
        return [items]
    start, end = max(found, key=lambda gap: gap[1] - gap[0])
    at = (start + end) / 2

    def before(item: Item) -> bool:
        return (item.middle_y if vertical else item.middle_x) < at

    return [[i for i in items if before(i)], [i for i in items if not before(i)]]


def _widest_row_gap(items: list[Item], line: float) -> list[list[Item]]:
    return _split_at(items, gaps(map(_core, items), 1.3 * line), vertical=True)


def _core(item: Item) -> tuple[float, float]:
    # Boxes of neighbouring lines may touch: only their middle three quarters count.
    return item.y0 + 0.12 * item.height, item.y1 - 0.12 * item.height


def _interrupted_gutter(items: list[Item], line: float) -> list[list[Item]]:
    """Columns whose gutter a few narrow lines cross (a caption, a pulled quote)."""
    if len(rows_of(items)) < 10:
        return []
    left, right = min(i.x0 for i in items), max(i.x1 for i in items)

    def allowed(crossing: list[Item], before: list[Item], after: list[Item]) -> bool:
        return (
            0 < len(crossing) <= 0.12 * len(items)
            and all(item.width <= 0.4 * (right - left) for item in crossing)
            and min(len(before), len(after)) >= 8
            and all(fmean(len(i.text) for i in side) >= 16 for side in (before, after))
        )

    return _gutter(items, line, (0.3, 0.7), allowed)


def _crossed_gutter(items: list[Item], line: float) -> list[list[Item]]:
    """The last resort: a gutter that few lines cross."""
    if len(rows_of(items)) < 6:
        return []

    def allowed(crossing: list[Item], before: list[Item], after: list[Item]) -> bool:
        return len(crossing) <= max(1, 0.15 * len(items)) and min(len(before), len(after)) >= 4

    return _gutter(items, line, (0.2, 0.8), allowed)


def _gutter(
    items: list[Item],
    line: float,
    between: tuple[float, float],
    allowed: Callable[[list[Item], list[Item], list[Item]], bool],
) -> list[list[Item]]:
    left, right = min(i.x0 for i in items), max(i.x1 for i in items)
    best: tuple[tuple[float, float], list[list[Item]]] | None = None
    for step in range(int(between[0] * 200), int(between[1] * 200) + 1):
        x = left + (right - left) * step / 200
        crossing = [i for i in items if i.x0 - 0.25 * line < x < i.x1 + 0.25 * line]
        others = [i for i in items if not i.x0 - 0.25 * line < x < i.x1 + 0.25 * line]
        before = [i for i in others if i.middle_x < x]
        after = [i for i in others if i.middle_x >= x]
        if not allowed(crossing, before, after):
            continue
        rank = (len(crossing), abs(step / 200 - 0.5))
        if best is None or rank < best[0]:
            top = min(i.y0 for i in others) + line
            above = [i for i in crossing if i.y1 <= top]
            best = rank, [above, before, after, [i for i in crossing if i.y1 > top]]
    return best[1] if best else []


def _length(gap: tuple[float, float]) -> float:
    return gap[1] - gap[0]


def _divided_band(items: list[Item], line: float) -> list[list[Item]]:
    """The tallest stretch between two row gaps that a column gap divides."""
    found = gaps(map(_core, items), max(0.1 * line, 1e-6))
    if not 1 <= len(found) <= _MOST_BANDS:
        return []
    edges = [(start + end) / 2 for start, end in found]
    bands: list[list[Item]] = [[] for _ in range(len(edges) + 1)]
    for item in items:
        bands[sum(item.middle_y > edge for edge in edges)].append(item)
    count, best = len(bands), (0, 0, 0)
    for first in range(count):
        spans: list[tuple[float, float]] = []
        for last in range(first, count):
            spans += [(item.x0, item.x1) for item in bands[last]]
            tall = last - first + 1
            if (tall < 3 and count > 3 and tall < count) or tall == count:
                continue
            if not gaps(spans, max(0.6 * line, 1e-6)):
                if tall > 3:
                    break
                continue
            best = max(best, (len(spans), first, last), key=lambda each: each[0])
    size, first, last = best
    if size < 4:
        return []
    # A heading beside nothing, nearer to what lies under the columns, belongs to that.
    while (
        first < last < count - 1
        and len(bands[last]) == 1
        and _length(found[last]) < 0.7 * _length(found[last - 1])
        and _length(found[last - 1]) > 0.5 * line
    ):
        last -= 1
    stretches = (bands[:first], bands[first : last + 1], bands[last + 1 :])
    return [[item for band in stretch for item in band] for stretch in stretches]
