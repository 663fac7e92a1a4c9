"""A page that has only pixels."""

import pymupdf

TITLE = "Quarterly Report 2026"
FEW = 6


def lines_of(count: int = FEW) -> list[str]:
    """The lines under the title."""
    return [f"Line {n}: total amount due {1000 + 37 * n}.50 EUR" for n in range(1, count + 1)]


LINES = lines_of()


def scan(lines: int = FEW) -> bytes:
    """A page of pixels, as a PNG, with so many lines (24 fill it)."""
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 70), TITLE, fontsize=24)
    for number, line in enumerate(lines_of(lines)):
        page.insert_text((72, 140 + 26 * number), line, fontsize=13)
    data: bytes = page.get_pixmap(dpi=150).tobytes("png")
    document.close()
    return data
