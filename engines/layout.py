"""PyMuPDF's layout model: regions with classes, in reading order, with their lines of text."""

import re
from typing import Any

from engines.grids import key_values, split_rows
from engines.rapid.onnx_runtime import open_session
from engines.reading_order import Item
from engines.region_order import in_reading_order
from engines.regions import Line, Region
from engines.tables import rows_html

_KEEP_OCR = 2  # pymupdf4llm's OCRMode.SELECT_KEEP_OLD: text that is there is never read again
_NEVER = 0
# A relation, and no word but the names of functions: a formula, which the model takes for a heading
# where it stands alone in a larger or bolder type.
_FORMULA = re.compile(
    r"(?=[^=≈≠≤≥≡∝∈]*[\w)\]}]\s*[=≈≠≤≥≡∝∈]\s*[\w(\[{+−-])"
    r"(?!.*(?<![^\W\d_])(?!(?:arc)?(?:sin|cos|tan)|lim|log|exp|max|min|mod|det|dim)[^\W\d_]{3})"
)
_CAPTION = re.compile(r"(?:Figure|Fig\.|Table|Listing|Algorithm|Abb\.|Tabelle)\s*\d+\s*[.:]")


# MuPDF takes the ligature of lam and alef apart from left to right. Where the alef has a sign, the
# wrong order is no Arabic, so it can be told.
_LAM_ALEF = re.compile("\u0627([\u0622\u0623\u0625])\u0644")
_CELL_GAP = 1.5  # of the letters' size: a wider gap within a line divides cells


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
    regions = [_region(box, key_value_tables=tables and not ocr) for box in parsed.pages[0].boxes]
    return regions if ocr else in_reading_order(regions)


def _never_called(*_: Any, **__: Any) -> None:
    """PyMuPDF wants an OCR function before it keeps OCR text; it must not run one."""


def _region(box: Any, *, key_value_tables: bool) -> Region:
    table, kind = "", box.boxclass
    if kind == "table" and box.table:
        table = split_rows(box.table.get("html") or "") or rows_html(box.table.get("extract") or ())
    elif kind == "text" and key_value_tables:
        table = key_values([_pieces(each) for each in box.textlines or ()])
        kind = "table" if table else kind
    lines = tuple(
        line for line in (_line(each) for each in box.textlines or ()) if line.text.strip()
    )
    if kind == "section-header" and lines and _CAPTION.match(lines[0].text):
        kind = "caption"
    if kind == "section-header" and len(lines) == 1 and _FORMULA.match(lines[0].text):
        kind = "text"
    return Region(kind, (box.x0, box.y0, box.x1, box.y1), lines, table)


def _pieces(each: dict[str, Any]) -> list[Item]:
    """The parts of a line between its wide gaps."""
    pieces: list[Item] = []
    for span in each["spans"]:
        if not span["text"].strip():
            continue
        x0, y0, x1, y1 = (float(value) for value in span["bbox"])
        text = span["text"].strip()
        last = pieces[-1] if pieces else None
        if last and x0 - last.x1 <= _CELL_GAP * span["size"]:
            joined = f"{last.text} {text}" if x0 > last.x1 else last.text + text
            pieces[-1] = Item(last.x0, min(last.y0, y0), x1, max(last.y1, y1), joined)
        else:
            pieces.append(Item(x0, y0, x1, y1, text))
    return pieces


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
        _LAM_ALEF.sub("\u0627\u0644\\1", text.strip("\n")),
        round(size, 2),
        bold=bool(letters) and all(span["flags"] & 16 for span in letters),
        mono=bool(letters) and all(span["flags"] & 8 for span in letters),
    )
