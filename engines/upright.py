"""Turns a picture of a page upright and straight, and reads its lines."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.deskew import find_skew
from engines.frame import Frame, straighten, turn
from engines.orientation import find_turn, probes_of, runs_sideways, sizes_of, vote
from engines.rapid.arrays import Floats, Pixels
from engines.rapid.reader import LineReader, ReadLine
from engines.ruled_tables import divide_at_rules
from engines.rules import Grid, find_grids

_DOUBTFUL = 0.8  # mean confidence below which the page may stand upside down


@dataclass(frozen=True, slots=True)
class Upright:
    """The page as it was read: pixels H x W x 3 RGB, its frame, its lines, its printed grids."""

    image: Pixels
    frame: Frame
    lines: list[ReadLine]
    grids: list[Grid]


def read_upright(
    image: Pixels,
    frame: Frame,
    reader: LineReader,
    step: Callable[[str], None],
    progress: Callable[[], None],
    *,
    grids: bool,
) -> Upright:
    """Read the image; `grids`: look for printed grids, too, and read their cells apart."""

    def detect(upright: Pixels) -> tuple[Floats, list[Grid]]:
        boxes = reader.boxes(upright)
        # A page that will be turned or straightened is looked at again.
        if not grids or not len(boxes) or runs_sideways(boxes) or find_skew(boxes):
            return boxes, []
        found = find_grids(upright, float(np.median(sizes_of(boxes)[1])))
        return divide_at_rules(boxes, found), found

    boxes, printed = detect(image)
    step("detect")
    lines: list[ReadLine] | None = None
    if runs_sideways(boxes):
        doubtful = True
    elif find_skew(boxes):
        # All lines will be read once the page is straight: a few tell which way up it stands.
        doubtful = vote(reader.texts(image, probes_of(boxes), progress)) < _DOUBTFUL
    else:
        lines = reader.read(image, boxes, progress)
        sure = vote([(line.text, line.confidence) for line in lines])
        doubtful = len(boxes) > 0 and (sure < _DOUBTFUL or 2 * len(lines) < len(boxes))
    degrees = find_turn(image, boxes, reader, progress) if doubtful else 0
    if degrees:
        image, frame = turn(image, frame, degrees)
        (boxes, printed), lines = detect(image), None
    skew = find_skew(boxes)
    if skew:
        image, frame = straighten(image, frame, -skew)
        (boxes, printed), lines = detect(image), None
    if lines is None:
        lines = reader.read(image, boxes, progress)
    step("recognize")
    return Upright(image, frame, lines, printed)
