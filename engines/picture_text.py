"""Text inside the pictures of a page whose own text is sound: screenshots, scans pasted in, charts.

Only what the text layer does not say already is read: lines under its words are left out, and a
picture that lies behind the page's text is its background and not looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from engines.frame import Box
from engines.ocr_regions import around, regions_of
from engines.rapid.arrays import Pixels
from engines.rapid.reader import LineReader, ReadLine
from engines.reading_order import Item, order_items, rows_of
from engines.regions import Line, Region, holds

_LEAST_SIDE = 40.0  # points; smaller pictures are icons, logos, rules
_TOUCHING = 2.0  # points between the strips that some programs cut pictures into
_BEHIND_TEXT = 0.12  # of the picture's area under words of the page: a background, or labelled
_SAID_ALREADY = 0.3  # of a line's area under words of the page
_SURE = 0.9  # confidence; drawings and photographs of things look like letters here and there
_LEAST_TEXT = 4  # letters of a picture; fewer are specks
_PROSE = 18  # letters of a usual line; shorter ones are labels, not paragraphs


@dataclass(frozen=True, slots=True)
class PictureText:
    """One picture of the page, in points: its box and what it says, in reading order."""

    box: Box
    regions: tuple[Region, ...]
    confidence: float


def pictures_of(page: Any) -> list[Box]:
    """Boxes of the raster pictures that are worth reading, in points."""
    x0, y0, x1, y1 = page.rect
    whole: list[Box] = []
    for image in page.get_image_info():
        left, top, right, bottom = image["bbox"]
        box = (max(left, x0), max(top, y0), min(right, x1), min(bottom, y1))
        if box[0] >= box[2] or box[1] >= box[3]:
            continue
        while (other := next((each for each in whole if _touch(each, box)), None)) is not None:
            whole.remove(other)
            box = _union(other, box)
        whole.append(box)
    words = words_of(page)
    return [
        box
        for box in whole
        if min(box[2] - box[0], box[3] - box[1]) >= _LEAST_SIDE
        and _covered(box, words) < _BEHIND_TEXT
    ]


def words_of(page: Any) -> list[Box]:
    """Boxes of the words of the text layer, in points."""
    return [tuple(word[:4]) for word in page.get_text("words")]


def read_pictures(
    image: Pixels,
    scale: float,
    pictures: Sequence[Box],
    words: Sequence[Box],
    reader: LineReader,
    progress: Callable[[], None],
) -> list[PictureText]:
    """What the pictures say; those that say nothing are left out.

    `image` is the page, H x W x 3 RGB at `scale` pixels a point; `pictures` and `words` in points.
    """
    found = []
    for box in pictures:
        x0, y0, x1, y1 = (round(value * scale) for value in box)
        crop = np.ascontiguousarray(image[max(0, y0) : y1, max(0, x0) : x1])
        if not crop.size:
            continue
        origin = np.array([max(0, x0), max(0, y0)], dtype=np.float32)
        boxes = reader.boxes(crop)
        fresh = [
            each for each in boxes if _covered(_points(each + origin, scale), words) < _SAID_ALREADY
        ]
        read = reader.read(crop, np.array(fresh, np.float32).reshape(-1, 4, 2), progress)
        sure = [line for line in read if line.confidence >= _SURE and len(line.text) > 1]
        if sum(len(line.text) for line in sure) >= _LEAST_TEXT:
            found.append(_picture_text(box, sure, origin, scale))
    return found


def with_picture_text(
    regions: Sequence[Region], texts: Sequence[PictureText]
) -> list[tuple[Region, float | None]]:
    """The regions with what the pictures say before each picture, and how sure that is.

    Before it, so that a picture and its caption stay together.

    A picture that the layout does not have is put before the first region below its middle.
    """
    placed: list[tuple[Region, float | None]] = [(region, None) for region in regions]
    for text in texts:
        at = next((n for n, (region, _) in enumerate(placed) if _is_of(region, text.box)), None)
        if at is None:
            middle = (text.box[1] + text.box[3]) / 2
            below = (n for n, (r, _) in enumerate(placed) if (r.box[1] + r.box[3]) / 2 > middle)
            at = next(below, len(placed))
            placed.insert(at, (Region("picture", text.box), None))
        placed[at:at] = [(region, text.confidence) for region in text.regions]
    return placed


def _picture_text(
    box: Box, read: Sequence[ReadLine], origin: np.ndarray[Any, Any], scale: float
) -> PictureText:
    lines = []
    for each in read:
        place = _points(each.box + origin, scale)
        lines.append(Line(place, each.text, round(0.75 * (place[3] - place[1]), 2)))
    confidence = round(fmean(each.confidence for each in read), 4)
    if fmean(len(line.text) for line in lines) >= _PROSE:
        height = max(line.box[3] for line in lines)
        regions = regions_of(lines, (), height, tables=True)
    else:
        items = [Item(*line.box, line.text, number) for number, line in enumerate(lines)]
        groups = (rows_of(group.items) for group in order_items(items))
        ordered = tuple(lines[item.index] for rows in groups for row in rows for item in row)
        regions = [Region("text", around(items), ordered)]
    return PictureText(box, tuple(regions), confidence)


def _points(corners: np.ndarray[Any, Any], scale: float) -> Box:
    (x0, y0), (x1, y1) = corners.min(axis=0) / scale, corners.max(axis=0) / scale
    return float(x0), float(y0), float(x1), float(y1)


def _is_of(region: Region, box: Box) -> bool:
    return region.kind == "picture" and (holds(region.box, box) or holds(box, region.box))


def _touch(a: Box, b: Box) -> bool:
    apart = max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3])
    return apart <= _TOUCHING


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _covered(box: Box, words: Sequence[Box]) -> float:
    """The share of a box that lies under words; words do not overlap each other."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    shared = 0.0
    for word in words:
        wide = min(box[2], word[2]) - max(box[0], word[0])
        high = min(box[3], word[3]) - max(box[1], word[1])
        shared += wide * high if wide > 0 and high > 0 else 0.0
    return shared / area if area > 0 else 1.0
