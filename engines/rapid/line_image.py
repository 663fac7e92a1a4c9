"""A line of text as pixels of its own, cut out of the page when they are wanted."""

import cv2
import numpy as np

from engines.rapid.arrays import Floats, Pixels

_END_MARGIN = 0.2  # of a line's height; the detector's boxes end close behind a full stop
_TALL = 1.5  # crops taller than this times their width are text that runs down


class LineImage:
    """The pixels inside a box of four corners, straightened; text that runs down is turned.

    A little is added at both ends of the line: a letter cut at the edge is lost. The size is known
    at once; the pixels are cut out while the model reads other lines, and kept.
    """

    __slots__ = ("_box", "_down", "_page", "_pixels", "_upside_down", "size")

    def __init__(self, page: Pixels, box: Floats, *, upside_down: bool = False) -> None:
        self._page = page
        self._box = _lengthened(box)
        self._upside_down = upside_down
        self._pixels: Pixels | None = None
        height, width = _size(self._box)
        self._down = height >= _TALL * width
        self.size = (width, height) if self._down else (height, width)
        """Height and width in pixels, as the line is read."""

    def pixels(self) -> Pixels:
        """H x W x 3 RGB."""
        if self._pixels is None:
            self._pixels = self._cut()
        return self._pixels

    def _cut(self) -> Pixels:
        height, width = _size(self._box)
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
        crop = cv2.warpPerspective(
            self._page,
            cv2.getPerspectiveTransform(self._box, target),
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if self._down:
            crop = np.rot90(crop)
        if self._upside_down:
            crop = crop[::-1, ::-1]
        return np.ascontiguousarray(crop, dtype=np.uint8)


def _size(box: Floats) -> tuple[int, int]:
    width = max(1, int(max(_distance(box[0], box[1]), _distance(box[2], box[3]))))
    height = max(1, int(max(_distance(box[0], box[3]), _distance(box[1], box[2]))))
    return height, width


def _lengthened(box: Floats) -> Floats:
    along, across = box[1] - box[0], box[3] - box[0]
    long, high = _distance(box[1], box[0]), _distance(box[3], box[0])
    if long >= high:
        more = along * (_END_MARGIN * high / max(long, 1.0))
        moved = np.stack([-more, more, more, -more])
    else:
        more = across * (_END_MARGIN * long / max(high, 1.0))
        moved = np.stack([-more, -more, more, more])
    return np.asarray(box + moved, dtype=np.float32)


def _distance(start: Floats, end: Floats) -> float:
    return float(np.linalg.norm(start - end))
