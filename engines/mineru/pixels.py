"""Pixels as the one-page PDF that MinerU reads."""

import io

from shared.errors import PageFailed
from shared.ocr_backend import PageInput

_DPI = 200  # MinerU renders pages at 200: so it gets the very pixels that we have
_QUALITY = 95  # JPEG, as MinerU itself makes of pictures


def to_pdf(page: PageInput) -> bytes:
    """A PDF that shows the page's pixels. PageFailed (`bad_pixels`) when they are too few."""
    from PIL import Image  # noqa: PLC0415 - the web front lists options without it

    size = (page.width, page.height)
    if page.width < 1 or page.height < 1 or len(page.data) != 3 * page.width * page.height:
        raise PageFailed("The pixels do not fit the size that is given.", code="bad_pixels")
    image = Image.frombytes("RGB", size, bytes(page.data))
    file = io.BytesIO()
    image.save(file, "PDF", resolution=_DPI, quality=_QUALITY, subsampling=0)
    return file.getvalue()


def points(page: PageInput) -> tuple[float, float]:
    """The size of the page as displayed, in points."""
    scale = 72 / (page.dpi or _DPI)
    return page.width * scale, page.height * scale
