"""Formulas in the cells of tables: cells hold safe HTML with text, and text may hold LaTeX."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace

from shared.render.inline import MATH
from shared.render.mathml import with_mathml
from shared.render.tables import Cell, Row, row_html

_CODE_OR_TAG = re.compile(r"(<code>[^<]*</code>|<[^<>]*>)")


def split_formulas(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text: ("", words), or ("inline" or "display", LaTeX without its marks)."""
    at = 0
    for match in MATH.finditer(text):
        if match.start() > at:
            yield "", text[at : match.start()]
        kind = "display" if match.lastgroup in {"display", "square"} else "inline"
        yield kind, match[match.lastgroup or 0].strip()
        at = match.end()
    if at < len(text):
        yield "", text[at:]


def drawn_row(row: Row, attributes: str = "") -> str:
    """`row_html` with its formulas as MathML; LaTeX that cannot be read stands in a span."""
    return with_mathml(row_html(tuple(_drawn(cell) for cell in row), attributes))


def _drawn(cell: Cell) -> Cell:
    if "$" not in cell.html and "\\" not in cell.html:
        return cell
    parts = _CODE_OR_TAG.split(cell.html)
    parts[::2] = ["".join(_spans(html.unescape(part))) for part in parts[::2]]
    return replace(cell, html="".join(parts))


def _spans(text: str) -> Iterator[str]:
    for kind, part in split_formulas(text):
        shown = html.escape(part, quote=False)
        yield f'<span class="math {kind}">{shown}</span>' if kind else shown
