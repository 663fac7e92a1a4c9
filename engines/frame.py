"""Coordinates: from the image that is read back to the page as displayed."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Matrix = NDArray[np.float64]  # 2 x 3, affine


@dataclass(frozen=True, slots=True)
class Frame:
    """How a working image (upright, straight) lies on the page as displayed.

    `to_page` maps pixels of the working image to 0..1 of the displayed page. `turned_degrees` is
    how far the content was turned clockwise to stand upright, `skew_degrees` how far it was then
    turned clockwise to be straight.
    """

    to_page: Matrix
    turned_degrees: int = 0
    skew_degrees: float = 0.0

    @classmethod
    def of_image(cls, width: int, height: int) -> "Frame":
        """The frame of an image that shows the page as it is."""
        return cls(np.array([[1 / width, 0, 0], [0, 1 / height, 0]], dtype=np.float64))

    def box_on_page(self, box: Box) -> Box:
        """The upright box on the displayed page, 0..1, around a box of working pixels."""
        x0, y0, x1, y1 = box
        corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]], dtype=np.float64)
        points = (corners @ self.to_page.T).clip(0.0, 1.0)
        left, top = points.min(axis=0)
        right, bottom = points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


def turn(image: NDArray[np.uint8], frame: Frame, degrees: int) -> tuple[NDArray[np.uint8], Frame]:
    """Turn the image clockwise by 0, 90, 180 or 270 degrees, and its frame with it."""
    degrees %= 360
    if degrees == 0:
        return image, frame
    height, width = image.shape[:2]
    # Each row: where a pixel of the turned image came from.
    back = {
        90: [[0, 1, 0], [-1, 0, height], [0, 0, 1]],
        180: [[-1, 0, width], [0, -1, height], [0, 0, 1]],
        270: [[0, -1, width], [1, 0, 0], [0, 0, 1]],
    }[degrees]
    turned = np.ascontiguousarray(np.rot90(image, k=-degrees // 90))
    to_page = frame.to_page @ np.array(back, dtype=np.float64)
    return turned, Frame(to_page, (frame.turned_degrees + degrees) % 360, frame.skew_degrees)


def straighten(
    image: NDArray[np.uint8], frame: Frame, degrees: float
) -> tuple[NDArray[np.uint8], Frame]:
    """Turn the image clockwise by a small angle round its middle; the size stays."""
    height, width = image.shape[:2]
    # OpenCV counts angles counter-clockwise.
    forward = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    turned = cv2.warpAffine(
        image, forward, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    back = np.vstack([cv2.invertAffineTransform(forward), [0, 0, 1]])
    skewed = Frame(frame.to_page @ back, frame.turned_degrees, frame.skew_degrees + degrees)
    return np.asarray(turned, dtype=np.uint8), skewed
