"""OCR lines as a PDF page: the picture with its text written invisibly over it.

PyMuPDF's layout model reads PDF pages. So the lines are put where they stand in the picture, and
the model sees picture and text together as in a born-digital page.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pymupdf

from engines.rapid.arrays import Pixels
from engines.rapid.reader import ReadLine

_FONT = "quire"
_DPI_OF_PICTURE = 100  # the model looks at 72 dpi; table rules still show at this
_INVISIBLE = 3  # PDF's text render mode


def make_page(image: Pixels, lines: Sequence[ReadLine], dpi: float) -> Any:
    """A document of one page, sized as `image` (H x W x 3 RGB) at `dpi`, with the lines on it."""
    height, width = image.shape[:2]
    scale = 72 / dpi
    document = pymupdf.open()
    page = document.new_page(width=width * scale, height=height * scale)
    shrink = min(1.0, _DPI_OF_PICTURE / dpi)
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    samples = np.ascontiguousarray(small).tobytes()
    picture = pymupdf.Pixmap(pymupdf.csRGB, small.shape[1], small.shape[0], samples, False)
    page.insert_image(page.rect, pixmap=picture)
    font = pymupdf.Font("cjk")
    page.insert_font(fontname=_FONT, fontbuffer=font.buffer)
    for line in lines:
        x0, y0 = line.box.min(axis=0) * scale
        x1, y1 = line.box.max(axis=0) * scale
        # The detector leaves a margin of about a fifth of the height round the letters.
        size = max(1.0, 0.8 * float(y1 - y0))
        length = font.text_length(line.text, size)
        origin = pymupdf.Point(float(x0), float(y1) - 0.28 * float(y1 - y0))
        stretch = pymupdf.Matrix(float(x1 - x0) / length, 1) if length > 0 else pymupdf.Identity
        page.insert_text(
            origin,
            line.text,
            fontsize=size,
            fontname=_FONT,
            render_mode=_INVISIBLE,
            morph=(origin, stretch),
        )
    return document
