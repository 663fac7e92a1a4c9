"""The layout model's order of regions, corrected where it jumps between columns.

The model orders born-digital pages well, save that it sometimes takes a chance alignment of two
columns for a band across the page: it reads half of one column, half of the next, then comes back.
Such a page is ordered by its geometry instead.
"""

from collections.abc import Sequence
from statistics import median_low

from engines.frame import Box
from engines.reading_order import Item, order_items
from engines.regions import Region

_MOST = 150  # regions; a page of more is no prose
_PLACEHOLDER = "x" * 400  # a table or a picture stands for a long paragraph while the page is cut
_BAND = 12.0  # points; an empty band of this height across two columns ends them both
_INSET = 4.0  # points; the model draws figures so wide that they reach into the gutter
_MARGINS = frozenset({"page-header", "page-footer"})


def in_reading_order(regions: Sequence[Region]) -> list[Region]:
    """The same regions; in another order where that of the model returns to a column it left."""
    body = [number for number, region in enumerate(regions) if region.kind not in _MARGINS]
    if len(body) > _MOST or not returns([regions[number].box for number in body]):
        return list(regions)
    items = [item for number in body for item in _items(regions[number], number)]
    places: dict[int, list[int]] = {number: [] for number in body}
    for place, group in enumerate(order_items(items)):
        for item in group.items:
            places[item.index].append(place)
    ordered = sorted(body, key=lambda each: (median_low(places[each]), regions[each].box[1]))
    waiting = iter(ordered)
    return [region if region.kind in _MARGINS else regions[next(waiting)] for region in regions]


def returns(boxes: Sequence[Box]) -> bool:
    """Whether boxes, in this order, come back to a column without anything that ends the columns.

    What ends them is a box over both columns, between the parts of the one that was left, or an
    empty band below all that was read until then.
    """
    start, lowest = 0, float("-inf")
    for last, third in enumerate(boxes):
        if third[1] - lowest >= _BAND:
            start = last
        lowest = max(lowest, third[3])
        for middle in range(start, last):
            second = boxes[middle]
            if not _beside(second, third):
                continue
            for first in boxes[start:middle]:
                if (
                    _above(first, third)
                    and _beside(first, second)
                    and not _divided(first, second, third, boxes)
                ):
                    return True
    return False


def _items(region: Region, number: int) -> list[Item]:
    if region.lines and region.kind not in {"table", "picture"}:
        return [Item(*line.box, line.text, number) for line in region.lines]
    x0, y0, x1, y1 = region.box
    inset = min(_INSET, (x1 - x0) / 4)
    return [Item(x0 + inset, y0, x1 - inset, y1, _PLACEHOLDER, number)]


def _beside(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) <= max(a[0], b[0])


def _above(a: Box, b: Box) -> bool:
    """Whether `a` stands over `b` in one column."""
    shared = min(a[2], b[2]) - max(a[0], b[0])
    return a[3] <= b[1] + 2 and shared > 0.5 * min(a[2] - a[0], b[2] - b[0])


def _divided(first: Box, second: Box, third: Box, boxes: Sequence[Box]) -> bool:
    def covers(box: Box) -> bool:
        return not _beside(box, first) and not _beside(box, second)

    return any(covers(box) and box[1] >= first[1] and box[3] <= third[3] for box in boxes)
