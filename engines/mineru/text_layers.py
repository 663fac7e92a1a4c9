"""Whether a page's text layer is read or its pixels."""

import pypdfium2
from docvortex.document.pdf import PDFDocument
from docvortex.document.pdf.pdfium import pdfium_guard
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

from engines.mineru.reading import OCR, TEXT
from engines.text_layer import is_broken

_MOST_BROKEN = 0.02  # of the characters, in a text layer that no model can check
_WARNING = "Read from its text layer: the models that would read its pixels are missing."


def mode_of(pdf: bytes) -> str:
    """What MinerU itself would do with a one-page PDF. Raises what it raises on a damaged one."""
    document = PDFDocument(pdf)
    try:
        return str(document.classify())
    finally:
        document.close()


def mode_without_models(pdf: bytes) -> tuple[str, tuple[str, ...]]:
    """What flash can do when the models that read scans are missing, and warnings.

    TEXT where MinerU itself would take the text layer; also, with a warning, where the page has
    no picture that could be a scan and its text has meaning; else OCR.
    """
    if mode_of(pdf) == TEXT:
        return TEXT, ()
    text, pictures = _content(pdf)
    letters = [letter for letter in text if not letter.isspace()]
    if pictures or sum(map(is_broken, letters)) > _MOST_BROKEN * len(letters):
        return OCR, ()
    return TEXT, (_WARNING,) if letters else ()


def _content(pdf: bytes) -> tuple[str, int]:
    """The page's text and the number of its pictures."""
    with pdfium_guard():  # PDFium is not made for threads
        document = pypdfium2.PdfDocument(pdf)
        try:
            page = document[0]
            pictures = len(list(page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE])))
            return page.get_textpage().get_text_range(), pictures
        finally:
            document.close()
