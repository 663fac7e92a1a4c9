"""What MuPDF lays out or draws beside PDF: XPS, EPUB, CBZ, SVG."""

from functools import cached_property
from pathlib import Path

import pymupdf

from stages.reader.drawing import free_store
from stages.reader.pdf_pages import read_page
from stages.reader.searchable import SearchablePdf
from stages.reader.terms import OpenedDocument, PagePayload, PageWant
from stages.reader.unreadable import Unreadable

FILE_TYPES = {
    "application/epub+zip": "epub",
    "application/vnd.ms-xpsdocument": "xps",
    "application/vnd.comicbook+zip": "cbz",
    "image/svg+xml": "svg",
}
# Books have no pages of their own: A4 at 11 points. Page numbers depend on it, so it is fixed.
PAPER = (0, 0, 595, 842)
FONT_POINTS = 11


class ReflowSource:
    """A document that becomes a PDF page by page."""

    def __init__(self, path: Path, media_type: str) -> None:
        # As bytes: a document opened by path may name its neighbours in the folder.
        self._document = pymupdf.open(
            stream=path.read_bytes(),
            filetype=FILE_TYPES[media_type],
            rect=PAPER,
            fontsize=FONT_POINTS,
        )
        if self._document.needs_pass:
            raise Unreadable(
                "encrypted",
                "The document needs a password: remove it and upload the document again.",
            )
        self.opened = OpenedDocument(self._document.page_count, media_type, "reflow")

    @cached_property
    def searchable(self) -> SearchablePdf:
        """All its pages as a PDF; those are laid out again, one after the other."""
        whole = pymupdf.open()

        def add_up_to(number: int) -> None:
            last = number or self.opened.pages
            for index in range(whole.page_count, last):
                data = self._document.convert_to_pdf(from_page=index, to_page=index)
                with pymupdf.open(stream=data, filetype="pdf") as single:
                    whole.insert_pdf(single)

        return SearchablePdf(whole, add_page=add_up_to)

    def page(self, number: int, want: PageWant) -> PagePayload:
        """Page `number`, from 1."""
        if not 1 <= number <= self.opened.pages:
            raise Unreadable("no_such_page", f"The document has {self.opened.pages} pages.")
        try:
            data = self._document.convert_to_pdf(from_page=number - 1, to_page=number - 1)
            with pymupdf.open(stream=data, filetype="pdf") as single:
                return read_page(single, 1, want)
        finally:
            free_store()
