"""How far the lines of a page slope."""

import math

import numpy as np

from engines.orientation import sizes_of
from engines.rapid.arrays import Floats

_LONG = 5.0  # a box this many times wider than high has a reliable slope
_LEAST_DEGREES = 0.3  # smaller slopes harm nothing
_MOST_DEGREES = 15.0  # larger ones are not scans laid down badly


def find_skew(boxes: Floats) -> float:
    """Clockwise slope of the text in degrees, from boxes N x 4 x 2; 0.0 when it is negligible.

    The median over the boxes, weighted by their length.
    """
    if not len(boxes):
        return 0.0
    widths, heights = sizes_of(boxes)
    chosen = widths > _LONG * heights
    if int(chosen.sum()) < 3:
        return 0.0
    runs = (boxes[:, 1] - boxes[:, 0] + boxes[:, 2] - boxes[:, 3])[chosen]
    angles = np.degrees(np.arctan2(runs[:, 1], runs[:, 0]))
    order = np.argsort(angles)
    weights = np.cumsum(widths[chosen][order])
    median = float(angles[order][np.searchsorted(weights, weights[-1] / 2)])
    if math.isnan(median) or not _LEAST_DEGREES <= abs(median) <= _MOST_DEGREES:
        return 0.0
    return median
