"""Where the lines of text are: PP-OCRv6's probability map turned into four-cornered boxes.

The map is made by differentiable binarization (Liao et al., arXiv 1911.08947): regions above a
threshold are shrunken text lines; each is grown again by area * ratio / perimeter.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.rapid.arrays import Floats, Pixels
from engines.rapid.runtime import Runtime

LONG_SIDE = 1280  # measured: 736 loses small print, more costs time and gains nothing
_STRIDE = 64  # sides are rounded up to this: few shapes, so OpenVINO's caches stay small
_MAP_THRESHOLD = 0.3
_BOX_THRESHOLD = 0.5
_GROW_RATIO = 1.6
_MIN_SIDE = 3  # map pixels; smaller regions are specks
_MAX_BOXES = 3000  # a page of the smallest print has about 2,000 words


def detect_lines(image: Pixels, runtime: Runtime, *, long_side: int = LONG_SIDE) -> Floats:
    """Boxes of text lines, N x 4 x 2 pixels of `image`, corners clockwise from the top left.

    N is 0 on an empty page. The order is arbitrary.
    """
    height, width = image.shape[:2]
    inner = _inner_size(image, long_side)
    probability = runtime.detect(padded_page(image, long_side))[: inner[1], : inner[0]]
    boxes = boxes_of_map(probability)
    if not len(boxes):
        return boxes
    boxes = boxes * np.array([width / inner[0], height / inner[1]], dtype=np.float32)
    boxes[..., 0] = boxes[..., 0].clip(0, width - 1)
    boxes[..., 1] = boxes[..., 1].clip(0, height - 1)
    return boxes


def padded_page(image: Pixels, long_side: int = LONG_SIDE) -> Pixels:
    """The image as the detector takes it, 1 x H x W x 3: not too long, its sides rounded up."""
    inner = _inner_size(image, long_side)
    resized = image
    if inner != (image.shape[1], image.shape[0]):
        shrinks_much = inner[0] < 0.6 * image.shape[1]
        way = cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR
        resized = np.asarray(cv2.resize(image, inner, interpolation=way), dtype=np.uint8)
    shape = (1, _round_up(inner[1]), _round_up(inner[0]), 3)
    padded = np.full(shape, fill_value=255, dtype=np.uint8)
    padded[0, : inner[1], : inner[0]] = resized
    return padded


def boxes_of_map(probability: Floats) -> Floats:
    """Boxes N x 4 x 2 in map pixels, grown from the shrunken regions above the threshold."""
    mask = (probability > _MAP_THRESHOLD).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for contour in contours[:_MAX_BOXES]:
        centre, (wide, high), angle = cv2.minAreaRect(contour)
        if min(wide, high) < _MIN_SIDE:
            continue
        corners = cv2.boxPoints((centre, (wide, high), angle))
        if _mean_inside(probability, corners) < _BOX_THRESHOLD:
            continue
        grow = 2 * wide * high * _GROW_RATIO / (2 * (wide + high))
        grown = cv2.boxPoints((centre, (wide + grow, high + grow), angle))
        boxes.append(clockwise(np.asarray(grown, dtype=np.float32)))
    if not boxes:
        return np.zeros((0, 4, 2), dtype=np.float32)
    return np.stack(boxes)


def clockwise(corners: Floats) -> Floats:
    """The four corners in clockwise order from the top left of the box, 4 x 2."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.stack([left[0], right[0], right[1], left[1]]).astype(np.float32)


def _mean_inside(probability: Floats, corners: NDArray[np.floating]) -> float:
    height, width = probability.shape
    x0, y0 = np.floor(corners.min(axis=0)).astype(int).clip(0, [width - 1, height - 1])
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int).clip(0, [width - 1, height - 1])
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), dtype=np.uint8)
    cv2.fillPoly(mask, [(corners - [x0, y0]).astype(np.int32)], [1])
    return float(cv2.mean(probability[y0 : y1 + 1, x0 : x1 + 1], mask)[0])


def _inner_size(image: Pixels, long_side: int) -> tuple[int, int]:
    height, width = image.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _round_up(side: int) -> int:
    return max(_STRIDE, -(-side // _STRIDE) * _STRIDE)
