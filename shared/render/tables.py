"""Tables: HTML of any origin to safe HTML, to rows, and to Markdown.

The limits keep a hostile table from costing more than a page may: deeply nested unknown tags
make the sanitiser quadratic (300,000 of them: five minutes), so they are taken out before it.
"""

import html
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import nh3

from shared.render.inline import PLAIN_TAGS, make_parser

MAX_HTML_CHARS = 4_000_000
MAX_CELLS = 20_000  # the fullest printed page of figures that we know has 3,000
MAX_SPAN = 1000  # what browsers allow for columns
_MAX_STRAY_TAGS = 2_000

_TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}
_TAGS = _TABLE_TAGS | set(PLAIN_TAGS)
_STRAY = re.compile(rf"<(?!/?(?:{'|'.join(sorted(_TAGS))})\b)[A-Za-z/!?][^<>]*>?", re.IGNORECASE)
_ANY_TABLE = re.compile(r"<table\b", re.IGNORECASE)
_PIPE_TABLE = re.compile(r"^[^\n]*\|[^\n]*\n\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*(?:\n|$)")
_PIPES = make_parser("table")
for _kind, _mark in (("math_inline", "$"), ("math_display", "$$")):
    # Back to text: what a cell's text holds is found where it is shown, whatever table it is of.
    _PIPES.add_render_rule(
        _kind, lambda _, tokens, at, *__, m=_mark: html.escape(f"{m}{tokens[at].content}{m}")
    )


def _clamp(_tag: str, _attribute: str, value: str) -> str | None:
    digits = value.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        return None
    return str(min(int(digits), MAX_SPAN)) if int(digits) > 1 else None


def sanitize_html(source: str) -> str:
    """Only tables, their rows and cells with spans, and a few bare inline tags; balanced."""
    source = source[:MAX_HTML_CHARS]
    for _ in range(3):
        if len(_STRAY.findall(source)) <= _MAX_STRAY_TAGS:
            break
        source = _STRAY.sub("", source)
    else:
        source = html.escape(source)
    spans = {"colspan", "rowspan"}
    return nh3.clean(
        source,
        tags=_TAGS,
        attributes={"td": spans, "th": spans},
        attribute_filter=_clamp,
        url_schemes=set(),
        link_rel=None,
    ).strip()


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its safe inner HTML, and how many columns and rows it covers."""

    html: str
    columns: int = 1
    rows: int = 1
    is_header: bool = False

    @property
    def text(self) -> str:
        """The cell without marks, on one line."""
        bare = re.sub(r"<br>|</t[dhr]>", " ", self.html)
        return " ".join(html.unescape(re.sub(r"<[^>]*>", "", bare)).split())


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, and text that stood outside of any cell."""

    rows: tuple[Row, ...]
    stray: str = ""
    is_nested: bool = False
    cut_cells: int = 0

    @property
    def has_spans(self) -> bool:
        """Whether some cell covers more than one place."""
        return any(cell.columns > 1 or cell.rows > 1 for row in self.rows for cell in row)

    @property
    def width(self) -> int:
        """Columns of the widest row, spans counted."""
        return max((sum(cell.columns for cell in row) for row in self.rows), default=0)

    def header(self) -> tuple[tuple[str, ...], ...]:
        """Texts of the rows that head the table: all leading rows of header cells, or the first."""
        count = 0
        while count < len(self.rows) and all(cell.is_header for cell in self.rows[count]):
            count += 1
        return tuple(row_texts(row) for row in self.rows[: max(count, 1)])

    def without_header(self, header: tuple[tuple[str, ...], ...]) -> "Table":
        """The table without leading rows that repeat that header."""
        count = 0
        while count < min(len(self.rows), len(header)) and (
            row_texts(self.rows[count]) == header[count] and any(header[count])
        ):
            count += 1
        return replace(self, rows=self.rows[count:])


def row_texts(row: Row) -> tuple[str, ...]:
    """The cells' texts, for comparing rows."""
    return tuple(cell.text.casefold() for cell in row)


@dataclass(slots=True)
class _OpenCell:
    parts: list[str] = field(default_factory=list)
    columns: int = 1
    rows: int = 1
    is_header: bool = False


class _TableReader(HTMLParser):
    """Reads sanitised HTML; tables inside a cell stay inside it as they are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[Row] = []
        self.row: list[Cell] = []
        self.cell: _OpenCell | None = None
        self.stray: list[str] = []
        self.depth = self.cells = self.cut_cells = 0
        self.is_nested = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.depth += 1
            self.is_nested = self.is_nested or self.depth > 1
        if self.depth <= 1 and tag in {"td", "th"}:
            self._end_cell()
            spans = {name: int(value or 1) for name, value in attrs}
            columns, rows = spans.get("colspan", 1), spans.get("rowspan", 1)
            self.cell = _OpenCell([], columns, rows, tag == "th")
        elif self.depth <= 1 and tag in {"tr", "thead", "tbody", "table"}:
            self._end_row()
        elif self.cell is not None:
            self.cell.parts.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if self.depth <= 1 and tag in _TABLE_TAGS:
            self._end_cell()
            if tag not in {"td", "th"}:
                self._end_row()
        elif self.cell is not None:
            self.cell.parts.append(f"</{tag}>")
        if tag == "table":
            self.depth = max(0, self.depth - 1)

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.parts.append(html.escape(data, quote=False))
        elif data.strip():
            self.stray.append(data.strip())

    def _end_cell(self) -> None:
        if self.cell is None:
            return
        if self.cells < MAX_CELLS:
            inner = "".join(self.cell.parts).strip()
            cell = Cell(inner, self.cell.columns, self.cell.rows, self.cell.is_header)
            self.row.append(cell)
            self.cells += 1
        else:
            self.cut_cells += 1
        self.cell = None

    def _end_row(self) -> None:
        self._end_cell()
        if self.row:
            self.rows.append(tuple(self.row))
            self.row = []

    def close(self) -> None:
        super().close()
        self._end_row()


def read_table(content: str) -> Table:
    """The table that a block holds: HTML, or Markdown pipes where a model wrote them."""
    if not _ANY_TABLE.search(content) and _PIPE_TABLE.search(content.strip()):
        content = str(_PIPES.render(content[:MAX_HTML_CHARS]))
    reader = _TableReader()
    reader.feed(sanitize_html(content))
    reader.close()
    stray = " ".join(reader.stray)
    return Table(tuple(reader.rows), stray, reader.is_nested, reader.cut_cells)


def row_html(row: Row, attributes: str = "") -> str:
    """One `<tr>`; `attributes` begin with a space."""
    cells = []
    for cell in row:
        tag = "th" if cell.is_header else "td"
        spans = f' colspan="{cell.columns}"' if cell.columns > 1 else ""
        spans += f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
        cells.append(f"<{tag}{spans}>{cell.html}</{tag}>")
    return f"<tr{attributes}>{''.join(cells)}</tr>"


def marked_row(row: Row, mark: str) -> Row:
    """The row with `mark`, safe HTML, before what its first cell says."""
    return (replace(row[0], html=mark + row[0].html), *row[1:]) if mark else row


def cut_note(table: Table) -> str:
    """A sentence when the table was too large to be shown whole, else ""."""
    return f"[… {table.cut_cells} more cells]" if table.cut_cells else ""
