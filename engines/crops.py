"""Figures cut out of the page's pixels."""

import hashlib

import cv2
import numpy as np

from engines.rapid.arrays import Pixels
from engines.regions import Region

_CROP_SIDE = 1600  # pixels; figures larger than this are shrunk
_LEAST_CROP = 16  # pixels; smaller "figures" are specks


def crop_figure(
    image: Pixels, region: Region, scale: float, images: dict[str, bytes]
) -> str | None:
    """Keep a figure's pixels as WebP; its sha256, or None when there is nothing to keep.

    Figures are pictures, and formulas whose text is not known. All else is text already.
    """
    if region.kind != "picture" and (region.kind != "formula" or region.lines):
        return None
    x0, y0, x1, y1 = (round(value * scale) for value in region.box)
    part = image[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    if min(part.shape[:2]) < _LEAST_CROP:
        return None
    shrink = _CROP_SIDE / max(part.shape[:2])
    if shrink < 1:
        part = np.asarray(
            cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8
        )
    done, data = cv2.imencode(".webp", part[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 85])
    if not done:
        return None
    name = hashlib.sha256(data.tobytes()).hexdigest()
    images[name] = data.tobytes()
    return name
