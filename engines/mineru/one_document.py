"""Pages as one document for MinerU, and what it made of each. Imported where MinerU is installed.

What MinerU finds on a page does not depend on the pages beside it when it reads pixels. What it
makes of that does: it joins paragraphs and tables over a page's end. So that is done again here,
for each page alone, by MinerU's own code: nothing of one job gets into another one's pages.
"""

import io
from collections.abc import Sequence
from typing import Any

import pypdfium2
from docvortex.document.pdf.layout import LAYOUT_EXTENSION
from docvortex.document.pdf.pdfium import pdfium_guard
from docvortex.postprocess.document import model_json_to_middle_json
from docvortex.schema import ModelJson


def join(pdfs: Sequence[bytes]) -> bytes:
    """The one-page PDFs as one PDF, in order. PdfiumError when one cannot be read."""
    with pdfium_guard():  # PDFium is not made for threads
        whole = pypdfium2.PdfDocument.new()
        try:
            for pdf in pdfs:
                page = pypdfium2.PdfDocument(pdf)
                try:
                    whole.import_pages(page)
                finally:
                    page.close()
            file = io.BytesIO()
            whole.save(file)
        finally:
            whole.close()
    return file.getvalue()


def part(model: ModelJson) -> list[dict[str, Any]]:
    """The middle JSON of each page, as if it had been read alone."""
    return [_alone(model, number) for number in range(len(model.pages))]


def _alone(model: ModelJson, number: int) -> dict[str, Any]:
    layout = model.extensions[LAYOUT_EXTENSION]
    places = [{**page, "page_idx": 0} for page in layout["pages"] if page["page_idx"] == number]
    extensions = {**model.extensions, LAYOUT_EXTENSION: {**layout, "pages": places}}
    changes = {"pages": [model.pages[number]], "extensions": extensions}
    document: dict[str, Any] = model_json_to_middle_json(model.model_copy(update=changes)).to_dict()
    return document
