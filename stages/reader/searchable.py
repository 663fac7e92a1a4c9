"""A document as a PDF with an invisible layer of text. Runs in the child only.

The original stays byte for byte where MuPDF can add to it (an incremental update); a PDF that had
to be mended while it was opened is written anew. Only changed objects are kept in memory.
"""

from collections.abc import Callable
from typing import Any

import pymupdf
from pymupdf import mupdf

from shared.errors import PageFailed
from stages.reader import blank_font
from stages.reader.part_sink import PartSink
from stages.reader.sound_text import hidden_share, text_kind
from stages.reader.text_places import place_line
from stages.reader.visual_order import visual_order

_FONT = "QuireText"
_DESCENT_SHARE = -blank_font.DESCENT / blank_font.UNITS_PER_EM
Line = tuple[str, float, float, float, float]  # text, and its box in 0..1 of the displayed page


class SearchablePdf:
    """The PDF that is being made. `pages` are made by `add_page` when the document is no PDF."""

    def __init__(self, document: Any, *, add_page: Callable[[int], None] | None = None) -> None:
        self._document = document
        self._add_page = add_page
        self._font = 0
        self._spare: dict[str, int] = {}

    def add_text(self, number: int, text: dict[str, Any]) -> bool:
        """Put lines on page `number`, from 1; False where it has a sound text layer already.

        `text` has `turn_degrees` and `lines` (each a `Line`). Pages come in ascending order.
        """
        if self._add_page is not None:
            self._add_page(number)
        page = self._document[number - 1]
        if text_kind(page) == "sound":
            return False
        _remove_hidden_text(page)
        content = self._content(page, text["lines"], float(text["turn_degrees"]))
        if content:
            if not page.is_wrapped:
                page.wrap_contents()
            pymupdf.TOOLS._insert_contents(page, content, True)  # noqa: SLF001 - has no other name
            self._add_font(page)
        return True

    def save(self, sink: PartSink) -> None:
        """Write it all."""
        if self._add_page is not None:
            self._add_page(0)
        if self._font:
            self._fill_font()
        source = mupdf.pdf_document_from_fz_document(self._document.this)
        options = mupdf.PdfWriteOptions()
        options.do_incremental = int(self._add_page is None and _takes_updates(self._document))
        options.do_encrypt = mupdf.PDF_ENCRYPT_KEEP
        options.permissions = self._document.permissions
        if not options.do_incremental:
            options.do_garbage = 1
            options.do_compress = 1
        output = pymupdf.JM_new_output_fileptr(sink)
        mupdf.pdf_write_document(source, output, options)
        output.fz_close_output()
        sink.flush()

    def _content(self, page: Any, lines: list[Line], turn_degrees: float) -> bytes:
        """The lines as text operations in the page's own, unturned coordinates."""
        width, height = page.rect.width, page.rect.height
        to_page = _from_display(page)
        parts = []
        for text, x0, y0, x1, y1 in lines:
            codes, ems = self._encode(text)
            if not codes:
                continue
            box = (x0 * width, y0 * height, x1 * width, y1 * height)
            place = place_line(box, turn_degrees, _DESCENT_SHARE)
            across, up = place.length / ems, place.height
            matrix = pymupdf.Matrix(
                place.along[0] * across,
                place.along[1] * across,
                -place.down[0] * up,
                -place.down[1] * up,
                place.x,
                place.y,
            )
            numbers = " ".join(f"{value:.4f}" for value in matrix * to_page)
            parts.append(f"{numbers} Tm <{codes}> Tj")
        if not parts:
            return b""
        lines_text = "\n".join(parts)
        return f"\nq BT /{_FONT} 1 Tf 3 Tr\n{lines_text}\nET Q\n".encode("ascii")

    def _encode(self, text: str) -> tuple[str, float]:
        """(hexadecimal codes, width in em)."""
        codes, ems = [], 0.0
        for character in visual_order(text):
            code = ord(character)
            if code > 0xFFFF or blank_font.FIRST_SPARE <= code <= blank_font.LAST_SPARE:
                code = self._spare.setdefault(character, blank_font.FIRST_SPARE + len(self._spare))
                if code > blank_font.LAST_SPARE:
                    continue
            codes.append(f"{code:04X}")
            ems += blank_font.width_of(character) / blank_font.UNITS_PER_EM
        return "".join(codes), ems

    def _add_font(self, page: Any) -> None:
        if not self._font:
            self._font = self._document.get_new_xref()
            self._document.update_object(self._font, "<< /Type /Font >>")
        source = mupdf.pdf_document_from_fz_document(self._document.this)
        target = mupdf.pdf_lookup_page_obj(source, page.number)
        resources = mupdf.pdf_dict_gets_inheritable(target, "Resources")
        if not resources.m_internal:
            resources = mupdf.pdf_new_dict(source, 1)
            mupdf.pdf_dict_puts(target, "Resources", resources)
        fonts = mupdf.pdf_dict_gets(resources, "Font")
        if not fonts.m_internal:
            fonts = mupdf.pdf_new_dict(source, 1)
            mupdf.pdf_dict_puts(resources, "Font", fonts)
        mupdf.pdf_dict_puts(fonts, _FONT, mupdf.pdf_new_indirect(source, self._font, 0))

    def _fill_font(self) -> None:
        """Write the font's objects, now that all its characters are known."""
        file = self._stream(blank_font.font_file())
        glyphs = self._stream(bytes(2 * 65536))  # every code is the one glyph
        unicode_map = self._stream(blank_font.to_unicode(self._spare))
        descriptor = self._object(
            f"<< /Type /FontDescriptor /FontName /{_FONT} /Flags 4 /ItalicAngle 0 /StemV 80"
            f" /FontBBox [0 {blank_font.DESCENT} {blank_font.FULL_WIDTH} {blank_font.ASCENT}]"
            f" /Ascent {blank_font.ASCENT} /Descent {blank_font.DESCENT}"
            f" /CapHeight {blank_font.ASCENT} /FontFile2 {file} 0 R >>"
        )
        descendant = self._object(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{_FONT} /CIDToGIDMap {glyphs} 0 R"
            " /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
            f" /DW {blank_font.HALF_WIDTH} /W {blank_font.width_array()}"
            f" /FontDescriptor {descriptor} 0 R >>"
        )
        self._document.update_object(
            self._font,
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{_FONT} /Encoding /Identity-H"
            f" /DescendantFonts [{descendant} 0 R] /ToUnicode {unicode_map} 0 R >>",
        )

    def _object(self, source: str) -> int:
        number: int = self._document.get_new_xref()
        self._document.update_object(number, source)
        return number

    def _stream(self, data: bytes) -> int:
        number = self._object("<< >>")
        self._document.update_stream(number, data, new=True, compress=True)
        return number


def _from_display(page: Any) -> Any:
    """The page as displayed (points, y downwards) to its own coordinates; heeds /Rotate, boxes."""
    box, matrix = mupdf.FzRect(), mupdf.FzMatrix()
    mupdf.pdf_page_transform(mupdf.pdf_page_from_fz_page(page.this), box, matrix)
    forward = pymupdf.Matrix(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)
    back = ~forward
    if not any(back):
        raise PageFailed("The page has no size.", code="damaged")
    return back


def _remove_hidden_text(page: Any) -> None:
    """Take out an older layer that nobody sees and that would stand beside ours."""
    kinds = {kind for kind, *_ in page.get_bboxlog() if kind.endswith("-text")}
    covered = bool(kinds) and hidden_share(page) == 1.0  # some of it under a picture of the page
    if covered or "ignore-text" in kinds:
        page.add_redact_annot(page.rect, cross_out=False)
        page.apply_redactions(
            images=mupdf.PDF_REDACT_IMAGE_NONE,
            graphics=mupdf.PDF_REDACT_LINE_ART_NONE,
            text=(
                mupdf.PDF_REDACT_TEXT_REMOVE if covered else mupdf.PDF_REDACT_TEXT_REMOVE_INVISIBLE
            ),
        )


def _takes_updates(document: Any) -> bool:
    return bool(document.can_save_incrementally()) and not document.is_repaired
