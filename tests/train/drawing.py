"""Draws the pages as PDF and as quire renders them, and makes the table of glyphs for training."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pymupdf
from numpy.typing import NDArray

from tests.train.glyphs import CELL, GLYPHS, ORIGIN, PLACES, SIZES
from tests.train.pages import DPI, PAGE_POINTS, Page


def draw_pdf(pages: Iterable[Page]) -> bytes:
    """The pages as a PDF."""
    font = pymupdf.Font("cour")
    document = pymupdf.open()
    for page in pages:
        target = document.new_page(width=PAGE_POINTS, height=PAGE_POINTS)
        writer = pymupdf.TextWriter(target.rect)
        for line in page.lines:
            writer.append((line.x, line.baseline), line.text, font=font, fontsize=line.size)
        writer.write_text(target)
    data: bytes = document.tobytes(deflate=True, garbage=3)
    document.close()
    return data


def draw_pixels(page: Page) -> NDArray[np.uint8]:
    """The page as quire renders it for an engine: (256, 256, 3)."""
    document = pymupdf.open(stream=draw_pdf([page]), filetype="pdf")
    pixmap = document[0].get_pixmap(dpi=DPI)
    pixels = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.width, 3)
    document.close()
    return pixels.copy()


def glyph_table() -> NDArray[np.uint8]:
    """Ink of all glyphs: (sizes, glyphs, places, CELL, CELL), 255 is black."""
    font = pymupdf.Font("cour")
    scale = DPI / 72
    table = np.zeros((len(SIZES), len(GLYPHS), PLACES, CELL, CELL), np.uint8)
    document = pymupdf.open()
    for s, size in enumerate(SIZES):
        for g, glyph in enumerate(GLYPHS):
            for place in range(PLACES):
                page = document.new_page(width=CELL / scale, height=CELL / scale)
                writer = pymupdf.TextWriter(page.rect)
                x = (ORIGIN[0] + place / PLACES) / scale
                writer.append((x, ORIGIN[1] / scale), glyph, font=font, fontsize=size)
                writer.write_text(page)
                pixmap = page.get_pixmap(dpi=DPI, colorspace=pymupdf.csGRAY)
                gray = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, -1)
                table[s, g, place] = 255 - gray[:CELL, :CELL]
    document.close()
    return table


def save_table(path: Path) -> None:
    """Write the table for a machine without PyMuPDF."""
    np.savez_compressed(path, table=glyph_table())
