"""OCR lines as a PDF page: the picture with its text written invisibly over it.

PyMuPDF's layout model reads PDF pages. So the lines are put where they stand in the picture, and
the model sees picture and text together as in a born-digital page.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import pymupdf

from engines.rapid.arrays import Pixels
from engines.rapid.reader import ReadLine

_FONT = "quire"
_DPI_OF_PICTURE = 100  # the model looks at 72 dpi; table rules still show at this
# The picture is a JPEG: at each of the layout's looks at the page MuPDF hands its bytes on as they
# are, where it would pack plain pixels into a new PNG (60 ms).
_QUALITY = 95
_INVISIBLE = 3  # PDF's text render mode
_DESCENT = 0.28  # of a line's height: its letters stand so far above the box's lower edge
_LETTERS = 0.8  # size of the letters: the detector leaves a margin of about a fifth round them


def make_page(image: Pixels, lines: Sequence[ReadLine], dpi: float) -> Any:
    """A document of one page, sized as `image` (H x W x 3 RGB) at `dpi`, with the lines on it."""
    height, width = image.shape[:2]
    scale = 72 / dpi
    document = pymupdf.open()
    page = document.new_page(width=width * scale, height=height * scale)
    shrink = min(1.0, _DPI_OF_PICTURE / dpi)
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    _, picture = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    page.insert_image(page.rect, stream=picture.tobytes())
    page.insert_font(fontname=_FONT, fontbuffer=_font().buffer)
    (drawn,) = page.get_contents()
    content = [document.xref_stream(drawn), b"BT %d Tr" % _INVISIBLE]
    content += [_shown(line, scale, float(page.rect.height)) for line in lines]
    document.update_stream(drawn, b"\n".join([*content, b"ET"]))
    return document


def _shown(line: ReadLine, scale: float, page_height: float) -> bytes:
    """PDF's operators that write a line, as wide as its box.

    All lines go into one stream: PyMuPDF's `insert_text` reads what is there at each call.
    """
    x0, y0 = (float(value) * scale for value in line.box.min(axis=0))
    x1, y1 = (float(value) * scale for value in line.box.max(axis=0))
    size = max(1.0, _LETTERS * (y1 - y0))
    glyphs = [_glyph(letter) for letter in line.text]
    length = size * sum(advance for _, advance in glyphs)
    stretch = (x1 - x0) / length if length > 0 else 1.0
    base = page_height - (y1 - _DESCENT * (y1 - y0))
    codes = "".join(f"{number:04x}" for number, _ in glyphs)
    place = f"{stretch:.5f} 0 0 1 {x0:.3f} {base:.3f} Tm"
    return f"/{_FONT} {size:.3f} Tf {place} <{codes}> Tj".encode()


@cache
def _font() -> Any:
    return pymupdf.Font("cjk")


@cache
def _glyph(letter: str) -> tuple[int, float]:
    """Number and width (of the size) of a letter's glyph; bounded by Unicode's letters."""
    font = _font()
    return int(font.has_glyph(ord(letter))), float(font.glyph_advance(ord(letter)))
