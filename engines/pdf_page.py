"""One page of a PDF: opened, turned upright by its text, rendered within a limit of pixels."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pymupdf

from engines.rapid.arrays import Pixels
from shared.errors import PageFailed

DPI = 200  # measured: more gains nothing for print of a usual size
_MOST_PIXELS = 16_000_000  # an A4 page at 400 dpi; posters are rendered at a lower resolution
_LONGEST_SIDE = 12_000  # pixels; OpenCV refuses 32,768


@contextmanager
def open_page(data: bytes | memoryview) -> Iterator[tuple[Any, Any]]:
    """The document and its first page, form fields painted into the page.

    PageFailed (`damaged`) when MuPDF cannot read it, also while the page is in use.
    """
    document = None
    try:
        document = pymupdf.open(stream=bytes(data), filetype="pdf")
        if not document.page_count:
            raise PageFailed("The page is empty: the document has no pages.", code="damaged")
        page = document[0]
        if next(page.widgets(), None) is not None:
            document.bake(annots=False, widgets=True)  # values live outside the page's text
            page = document[0]
        yield document, page
    except (pymupdf.FileDataError, pymupdf.EmptyFileError, RuntimeError, ValueError) as error:
        raise PageFailed(f"MuPDF cannot read the page: {error}", code="damaged") from error
    finally:
        if document is not None:
            document.close()
        pymupdf.TOOLS.store_shrink(100)  # decoded pictures of this page are of no more use


def render(page: Any, dpi: float = DPI) -> tuple[Pixels, float]:
    """The page as displayed, H x W x 3 RGB, and the resolution in dpi that the limits allow."""
    width, height = max(page.rect.width, 1.0), max(page.rect.height, 1.0)
    scale = dpi / 72
    scale = min(scale, (_MOST_PIXELS / (width * height)) ** 0.5, _LONGEST_SIDE / max(width, height))
    pixmap = page.get_pixmap(
        matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csRGB, alpha=False
    )
    pixels = np.frombuffer(pixmap.samples, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    image = pixels[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3).copy()
    return image, scale * 72


def turn_of_text(blocks: list[dict[str, Any]]) -> int:
    """Degrees to turn the page clockwise so that most of its text runs from left to right."""
    votes: Counter[int] = Counter()
    for block in blocks:
        for line in block.get("lines", ()) if block["type"] == 0 else ():
            x, y = line["dir"]
            length = sum(len(span["text"].strip()) for span in line["spans"])
            if abs(x) > 0.9:
                votes[0 if x > 0 else 180] += length
            elif abs(y) > 0.9:
                votes[90 if y < 0 else 270] += length
    total = sum(votes.values())
    degrees, most = votes.most_common(1)[0] if votes else (0, 0)
    return degrees if most > 0.7 * total else 0
