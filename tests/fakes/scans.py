"""A page that has only pixels."""

import pymupdf

TITLE = "Quarterly Report 2026"
FEW = 6


def lines_of(count: int = FEW, first: int = 1) -> list[str]:
    """The lines under the title, from that number on."""
    numbers = range(first, first + count)
    return [f"Line {n}: total amount due {1000 + 37 * n}.50 EUR" for n in numbers]


LINES = lines_of()


def scan(lines: int = FEW, first: int = 1, dpi: int = 150) -> bytes:
    """A page of pixels, as a PNG, with so many lines (24 fill it), numbered from `first` on."""
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 70), TITLE, fontsize=24)
    for number, line in enumerate(lines_of(lines, first)):
        page.insert_text((72, 140 + 26 * number), line, fontsize=13)
    data: bytes = page.get_pixmap(dpi=dpi).tobytes("png")
    document.close()
    return data
