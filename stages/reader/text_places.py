"""Where a line of text stands on a page that may be turned and skewed. Points, y downwards."""

import math
from dataclasses import dataclass

_THINNEST = 0.2  # of the box's height: what is left of a skewed line's box when it is impossible
_STEEPEST = 40.0  # degrees beside a quarter turn; at 45 a box says nothing about its line


@dataclass(frozen=True, slots=True)
class Place:
    """The start of the baseline, the direction of reading, the line's length and height."""

    x: float
    y: float
    along: tuple[float, float]
    length: float
    height: float

    @property
    def down(self) -> tuple[float, float]:
        """From the top of the letters to their feet."""
        return -self.along[1], self.along[0]


def place_line(
    box: tuple[float, float, float, float], turn_degrees: float, descent_share: float
) -> Place:
    """The line inside an upright box (x0, y0, x1, y1).

    `turn_degrees` is how far the content must be turned clockwise to be upright and straight.
    The box is the bounds of a turned rectangle, so for a small angle t beside a quarter turn
    W = w cos t + h sin t and H = w sin t + h cos t; solved for w and h.
    """
    x0, y0, x1, y1 = box
    wide, high = max(x1 - x0, 0.1), max(y1 - y0, 0.1)
    quarter = round(turn_degrees / 90.0)
    small = math.radians(min(abs(turn_degrees - 90.0 * quarter), _STEEPEST))
    if quarter % 2:
        wide, high = high, wide
    cosine, sine = math.cos(small), math.sin(small)
    length = max((wide * cosine - high * sine) / math.cos(2 * small), _THINNEST * wide)
    height = (high * cosine - wide * sine) / math.cos(2 * small)
    height = min(max(height, _THINNEST * high), high)
    angle = math.radians(turn_degrees)
    along = math.cos(angle), -math.sin(angle)
    down = -along[1], along[0]
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    foot = height * (0.5 - descent_share)
    return Place(
        middle[0] - along[0] * length / 2 + down[0] * foot,
        middle[1] - along[1] * length / 2 + down[1] * foot,
        along,
        length,
        height,
    )
