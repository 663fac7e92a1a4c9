"""Inside the child: which source reads a file, and what its errors mean to a person."""

import re
import sys
from pathlib import Path
from typing import Protocol

from shared.media import HEAD_BYTES, sniff_media_type
from stages.reader.terms import OpenedDocument, PagePayload, PageWant
from stages.reader.unreadable import Unreadable

# PyMuPDF imports its layout analysis and PyMuPDF4LLM when they are there: half of the seconds that
# this process takes to start, 300 MiB of address space, and no use for them. None makes such an
# import an ImportError, which it expects.
for unused in ("pymupdf.layout", "pymupdf4llm"):
    sys.modules[unused] = None  # type: ignore[assignment]

from stages.reader.image_pages import ImageSource  # noqa: E402
from stages.reader.pdf_pages import PdfSource  # noqa: E402
from stages.reader.reflow_pages import ReflowSource  # noqa: E402
from stages.reader.searchable import SearchablePdf  # noqa: E402

_PATH = re.compile(r"(file )?'/[^']*'")  # of the store: nothing for the person who uploaded
OUT_OF_MEMORY = ("malloc", "calloc", "realloc", "out of memory", "cannot allocate", "bad_alloc")


class Source(Protocol):
    """A document that is open in this process."""

    opened: OpenedDocument

    @property
    def searchable(self) -> SearchablePdf:
        """The whole document as a PDF that takes a layer of text."""
        ...

    def page(self, number: int, want: PageWant) -> PagePayload:
        """Page `number`, from 1."""


def open_source(path: Path, max_pages: int, max_pixels: int) -> Source:
    """Open a file by what it contains. Unreadable, or whatever the libraries raise."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise Unreadable("not_a_document", "The file is empty: it has no bytes.")
    media_type = sniff_media_type(head)
    if media_type is None:
        raise Unreadable(
            "not_a_document",
            "The file is neither a PDF, an image, XPS, EPUB, CBZ nor SVG, whatever its name says.",
        )
    if media_type == "application/pdf":
        source: Source = PdfSource(path)
    elif media_type.startswith("image/") and media_type != "image/svg+xml":
        source = ImageSource(path, media_type, max_pages, max_pixels)
    else:
        source = ReflowSource(path, media_type)
    pages = source.opened.pages
    if pages < 1:
        raise Unreadable(
            "no_pages",
            "The document has no pages, or its list of pages is broken. Save it anew with "
            "another program and upload it again.",
        )
    if pages > max_pages:
        raise Unreadable(
            "too_many_pages",
            f"The document has {pages} pages; QUIRE_MAX_PAGES allows {max_pages}. Split it.",
        )
    return source


def describe(error: Exception) -> tuple[str, str]:
    """A code and a sentence for whatever came out of a library."""
    if isinstance(error, Unreadable):
        return error.code, str(error)
    detail = " ".join(_PATH.sub("the file", str(error)).split())[:200] or type(error).__name__
    if "Invalid number of pages" in detail:
        return "damaged", "Its number of pages is impossible, or far beyond QUIRE_MAX_PAGES."
    if isinstance(error, MemoryError) or any(word in detail.lower() for word in OUT_OF_MEMORY):
        return "out_of_memory", "It needs more memory than reading a document may take."
    return "damaged", f"It is damaged and could not be read ({detail.rstrip('.')})."
