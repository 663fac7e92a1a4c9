"""Pages drawn by MuPDF: pixels for an engine and the preview."""

import io
import math
from typing import Any

import pymupdf
from PIL import Image

from stages.reader.ink import ink_of
from stages.reader.sandbox import rss_mib

POINTS_PER_INCH = 72
PREVIEW_TYPE = "image/jpeg"
# Measured on a 1,200 pixel page of text: JPEG 2 ms and 80 to 200 KB; WebP at its fastest 15 to
# 20 ms and 30 % less. Drawing in gray first saves less than finding out whether a page is gray.
PREVIEW_QUALITY = 75
# Fonts and images of the pages behind are kept up to here: emptied after each page, a page of
# text takes three times as long. MuPDF alone would keep 256 MiB beside what a page needs.
STORE_RSS_MIB = 320


def draw(page: Any, dpi: float, max_pixels: int) -> tuple[Image.Image, float]:
    """The page as displayed at `dpi`, or less where that would be over `max_pixels`: (RGB, dpi)."""
    rect = page.rect
    area = max(rect.width * rect.height, 1.0)
    # A border of one pixel may come from rounding outwards.
    scale = min(dpi / POINTS_PER_INCH, math.sqrt(max_pixels / area) * 0.999)
    pixmap = page.get_pixmap(
        matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csRGB, alpha=False
    )
    image = Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples_mv)
    return image, scale * POINTS_PER_INCH


def draw_preview(page: Any, long_side: int) -> tuple[bytes, float]:
    """The page as JPEG, drawn directly at the size of the preview, and its ink."""
    rect = page.rect
    scale = long_side / max(rect.width, rect.height, 1.0)
    image, _ = draw(page, scale * POINTS_PER_INCH, long_side * long_side)
    return encode_preview(image, long_side), ink_of(image)


def encode_preview(image: Image.Image, long_side: int) -> bytes:
    """An RGB image as JPEG, made smaller where its long side is over `long_side` pixels."""
    if max(image.size) > long_side:
        scale = long_side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        # reducing_gap: first by whole numbers, which is several times faster and looks the same.
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=PREVIEW_QUALITY)
    return buffer.getvalue()


def free_store() -> None:
    """Drop what MuPDF keeps of the pages behind when this process has grown."""
    if rss_mib() > STORE_RSS_MIB:
        pymupdf.TOOLS.store_shrink(100)
