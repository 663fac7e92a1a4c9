"""Which way up the content stands: by the shape of its lines and by how well they read."""

from collections.abc import Callable

import numpy as np

from engines.rapid.arrays import Floats, Pixels
from engines.rapid.reader import LineReader

_PROBES = 10  # lines that are read both ways: enough to vote, few enough to be cheap
_SIDEWAYS_SHARE = 0.6  # of the length of all lines
_CLEAR_LEAD = 0.03  # of mean confidence; below, the page stays as it is


def sizes_of(boxes: Floats) -> tuple[Floats, Floats]:
    """Widths and heights of boxes N x 4 x 2, along their own sides."""
    widths = np.linalg.norm(boxes[:, 0] - boxes[:, 1], axis=1)
    heights = np.linalg.norm(boxes[:, 0] - boxes[:, 3], axis=1)
    return widths.astype(np.float32), heights.astype(np.float32)


def runs_sideways(boxes: Floats) -> bool:
    """Whether most of the text runs down or up rather than across."""
    if not len(boxes):
        return False
    widths, heights = sizes_of(boxes)
    lengths = np.maximum(widths, heights)
    long = lengths > 1.5 * np.minimum(widths, heights)
    total = float(lengths[long].sum())
    return total > 0 and float(lengths[long & (heights > widths)].sum()) > _SIDEWAYS_SHARE * total


def probes_of(boxes: Floats) -> Floats:
    """A few of the longest lines, which tell most: M x 4 x 2 of N x 4 x 2."""
    lengths = sizes_of(boxes)[1 if runs_sideways(boxes) else 0]
    return np.asarray(boxes[np.argsort(-lengths)[:_PROBES]], dtype=np.float32)


def find_turn(
    image: Pixels, boxes: Floats, reader: LineReader, progress: Callable[[], None]
) -> int:
    """Degrees (0, 90, 180, 270) by which the image must be turned clockwise to stand upright.

    A few of the longest lines are read as they are and upside down; the surer reading wins.
    """
    if not len(boxes):
        return 0
    sideways = runs_sideways(boxes)
    probes = probes_of(boxes)
    # A crop that runs down is turned by 90 degrees counter-clockwise before it is read.
    plain = vote(reader.texts(image, probes, progress))
    flipped = vote(reader.texts(image, probes, progress, upside_down=True))
    over = flipped > plain + _CLEAR_LEAD
    if sideways:
        return 90 if over else 270
    return 180 if over else 0


def vote(texts: list[tuple[str, float]]) -> float:
    """Mean confidence, each line weighted by its length."""
    weight = sum(len(text) for text, _ in texts)
    return sum(len(text) * confidence for text, confidence in texts) / weight if weight else 0.0
