"""PyMuPDF's layout model: regions with classes, in reading order, with their lines of text."""

from dataclasses import dataclass
from typing import Any

from engines.frame import Box
from engines.rapid.runtime import open_session
from engines.tables import rows_html

_KEEP_OCR = 2  # pymupdf4llm's OCRMode.SELECT_KEEP_OLD: text that is there is never read again
_NEVER = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text; `box` and `size` (of the font) in points of the page that was laid out."""

    box: Box
    text: str
    size: float
    bold: bool = False
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the page: PyMuPDF's class, its box in points, lines, and HTML of a table."""

    kind: str
    box: Box
    lines: tuple[Line, ...] = ()
    table: str = ""


def load_layout(threads: int) -> None:
    """Load the layout models, each with a session of `threads` threads."""
    import pymupdf  # noqa: PLC0415 - loads the models
    import pymupdf4llm  # noqa: F401, PLC0415

    closure = getattr(pymupdf._get_layout, "__closure__", None) or ()  # noqa: SLF001
    for cell in closure:
        model = getattr(cell.cell_contents, "_model", None)
        for owner in (
            model,
            getattr(model, "feature_extractor", None),
            getattr(model, "table_grid_extractor", None),
        ):
            for name, value in list(vars(owner).items()) if owner is not None else ():
                path = getattr(value, "_model_path", None)
                if isinstance(path, str) and path.endswith(".onnx"):
                    setattr(owner, name, open_session(path, threads))


def lay_out(document: Any, *, ocr: bool, tables: bool) -> list[Region]:
    """The regions of the document's first page, in reading order.

    `ocr` says that the text on it came from OCR over one picture of the whole page.
    """
    from pymupdf4llm.helpers.document_layout import parse_document  # noqa: PLC0415

    parsed = parse_document(
        document,
        pages=[0],
        use_ocr=_KEEP_OCR if ocr else _NEVER,
        ocr_function=_never_called if ocr else None,
        force_text=True,
        render_html_tables=tables and not ocr,
    )
    return [_region(box) for box in parsed.pages[0].boxes]


def _never_called(*_: Any, **__: Any) -> None:
    """PyMuPDF wants an OCR function before it keeps OCR text; it must not run one."""


def _region(box: Any) -> Region:
    table = ""
    if box.boxclass == "table" and box.table:
        table = box.table.get("html") or rows_html(box.table.get("extract") or ())
    lines = tuple(
        line for line in (_line(each) for each in box.textlines or ()) if line.text.strip()
    )
    return Region(box.boxclass, (box.x0, box.y0, box.x1, box.y1), lines, table)


def _line(each: dict[str, Any]) -> Line:
    spans = each["spans"]
    text = ""
    for number, span in enumerate(spans):
        piece = span["text"]
        if number and not text.endswith(" ") and not piece.startswith(" "):
            gap = span["bbox"][0] - spans[number - 1]["bbox"][2]
            text += " " if gap > 0.12 * span["size"] else ""
        text += piece
    letters = [span for span in spans if span["text"].strip()] or spans
    size = max((float(span["size"]) for span in letters), default=0.0)
    x0, y0, x1, y1 = (float(value) for value in each["bbox"])
    return Line(
        (x0, y0, x1, y1),
        text.strip("\n"),
        round(size, 2),
        bold=bool(letters) and all(span["flags"] & 16 for span in letters),
        mono=bool(letters) and all(span["flags"] & 8 for span in letters),
    )
