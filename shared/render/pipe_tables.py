"""Tables as Markdown: pipes where every cell is one place, HTML where cells span."""

import html
import re

from shared.render.escape import paragraph, safe_latex
from shared.render.tables import (
    Cell,
    Row,
    Table,
    cut_note,
    marked_row,
    read_table,
    row_html,
)

_MARKS = {
    "<b>": "**",
    "</b>": "**",
    "<strong>": "**",
    "</strong>": "**",
    "<i>": "*",
    "</i>": "*",
    "<em>": "*",
    "</em>": "*",
}
_CODE = re.compile(r"<code>([^<>`|\\]+)</code>")
_TAG = re.compile(r"(<code>[^<>`|\\]+</code>|<[^<>]*>)")
_MATH = re.compile(
    r"(\$(?![\s$])[^$`]{1,500}?(?<!\s)\$(?!\d)|\\\([^$`]{1,500}?\\\)|\\\[[^$`]{1,500}?\\\])"
)
# Cells hold text, not Markdown.
_ESCAPED = re.compile(r"[\\`*]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|!(?=\[)|\](?=\()")


def table_to_markdown(source: str) -> str:
    """HTML (or what a model took for a table) as pipes, or as safe HTML where cells span.

    Text outside of the cells follows as a paragraph; "" for a table without anything.
    """
    return whole_table(read_table(source))


def whole_table(table: Table) -> str:
    """The table as pipes where `fits_pipes`, else as safe HTML."""
    body = pipe_table(table) if fits_pipes(table) else html_table(table)
    stray = paragraph(" ".join(part for part in (table.stray, cut_note(table)) if part))
    return "\n\n".join(part for part in (body, stray) if part)


def fits_pipes(table: Table) -> bool:
    """Whether pipes can say all that the table says."""
    return not table.is_nested and not table.has_spans


def pipe_table(table: Table) -> str:
    """A GFM table, its first row the header; "" without rows."""
    if not table.rows:
        return ""
    width = table.width
    first, *rest = table.rows
    return "\n".join(
        [pipe_row(first, width), f"|{' --- |' * width}", *(pipe_row(row, width) for row in rest)]
    )


def pipe_row(row: Row, width: int, mark: str = "") -> str:
    """One line of a GFM table, filled up to `width` cells; `mark` goes before the first text."""
    cells = [_cell(cell) for cell in row]
    cells += [""] * (width - len(cells))
    cells[0] = f"{mark}{cells[0]}"
    return f"| {' | '.join(cells)} |"


def html_table(table: Table) -> str:
    """The table as HTML without blank lines, which would end it in Markdown."""
    if not table.rows:
        return ""
    return f"<table>\n{html_rows(table)}\n</table>"


def html_rows(table: Table, mark: str = "") -> str:
    """Its rows, one to a line; `mark` goes before the text of the first cell."""
    return "\n".join(
        " ".join(row_html(marked_row(row, mark if number == 0 else "")).split("\n"))
        for number, row in enumerate(table.rows)
    )


def _cell(cell: Cell) -> str:
    parts = []
    for part in _TAG.split(cell.html):
        code = _CODE.fullmatch(part)
        if code is not None:
            parts.append(f"`{html.unescape(code[1])}`")
        elif part.startswith("<"):
            parts.append(_MARKS.get(part, part))
        else:
            parts.append(_plain(part))
    return " ".join("".join(parts).replace("|", "\\|").split())


def _in_dollars(formula: str) -> str:
    r"""`\(x\)` as `$x$`: the backslash of a cell's text is a letter to Markdown."""
    inner = formula[2:-2].strip()
    return formula if formula.startswith("$") or not inner else f"${inner}$"


def _plain(part: str) -> str:
    pieces = _MATH.split(html.unescape(part))
    pieces[::2] = [_ESCAPED.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
    pieces[1::2] = [safe_latex(_in_dollars(piece)) for piece in pieces[1::2]]
    return "".join(pieces)
