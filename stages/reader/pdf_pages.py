"""Pages of a PDF, each as a PDF of its own or as pixels."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pymupdf

from shared.ocr_backend import PDF, RGB
from stages.reader.drawing import PREVIEW_TYPE, draw, draw_preview, free_store
from stages.reader.ink import ink_of
from stages.reader.page_copy import copy_page, lacks_appearance
from stages.reader.searchable import SearchablePdf
from stages.reader.sound_text import text_kind
from stages.reader.terms import OpenedDocument, PagePayload, PageWant
from stages.reader.unreadable import Unreadable

pymupdf.TOOLS.mupdf_display_errors(False)
pymupdf.TOOLS.mupdf_display_warnings(False)


class PdfSource:
    """A PDF. It stays open; a page is loaded, copied, drawn and let go."""

    def __init__(self, path: Path) -> None:
        try:
            self._document = pymupdf.open(str(path), filetype="pdf")
        except pymupdf.EmptyFileError as error:
            raise Unreadable("not_a_document", "The file is empty: it has no bytes.") from error
        # needs_pass stays true for what opened with the empty password: owner restrictions only.
        if self._document.is_encrypted:
            raise Unreadable(
                "encrypted",
                "The document needs a password: remove it and upload the document again.",
            )
        self.opened = OpenedDocument(self._document.page_count, PDF, "pdf")

    @cached_property
    def searchable(self) -> SearchablePdf:
        """The document itself, to be added to."""
        return SearchablePdf(self._document)

    def page(self, number: int, want: PageWant) -> PagePayload:
        """Page `number`, from 1."""
        try:
            return read_page(self._document, number, want)
        finally:
            free_store()


def read_page(document: Any, number: int, want: PageWant) -> PagePayload:
    """Page `number` of an open PDF in the form that is wanted."""
    if not 1 <= number <= document.page_count:
        raise Unreadable("no_such_page", f"The document has {document.page_count} pages.")
    page = document[number - 1]
    preview, ink = draw_preview(page, want.preview_pixels) if want.preview_pixels else (b"", -1.0)
    text = text_kind(page)
    as_pdf = want.sound_as_pdf and text == "sound"
    form = PDF if as_pdf else next((kind for kind in want.accepts if kind in {PDF, RGB}), PDF)
    if form == PDF:
        if lacks_appearance(document, page):
            document.bake()  # the whole document, once: there is no such call for a page
            page = document[number - 1]
        data = copy_page(document, page)
        width, height, dpi = round(page.rect.width), round(page.rect.height), 72.0
    else:
        image, dpi = draw(page, want.dpi, want.max_pixels)
        data, (width, height) = image.tobytes(), image.size
        ink = ink if ink >= 0 else ink_of(image)
    kind = PREVIEW_TYPE if preview else ""
    return PagePayload(form, data, width, height, dpi, preview, kind, text, ink)
