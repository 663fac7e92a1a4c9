"""A page that has only pixels."""

import pymupdf

TITLE = "Quarterly Report 2026"
LINES = [f"Line {n}: total amount due {1000 + 37 * n}.50 EUR" for n in range(1, 7)]


def scan() -> bytes:
    """A page of pixels, as a PNG."""
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 70), TITLE, fontsize=24)
    for number, line in enumerate(LINES):
        page.insert_text((72, 140 + 26 * number), line, fontsize=13)
    data: bytes = page.get_pixmap(dpi=150).tobytes("png")
    document.close()
    return data
