"""A table of a Word document, rows with spans, made as XML. ECMA-376, 17.4."""

from collections.abc import Callable
from typing import Any

from docx.oxml import OxmlElement
from docx.oxml.ns import qn

MAX_COLUMNS = 63  # what Word opens
_MAX_ROW_SPAN = 1000
Fill = Callable[[Any, dict[str, Any]], None]  # writes a cell's content into its paragraph


class WordTable:
    """Takes rows, a chain of continued tables too; `element` is complete after `close`."""

    def __init__(self, fill: Fill) -> None:
        self._fill = fill
        self._covered: dict[int, tuple[int, int]] = {}  # column: (rows still below, its width)
        self._rows: list[tuple[Any, int]] = []
        self.element = OxmlElement("w:tbl")

    def add(self, rows: list[list[dict[str, Any]]]) -> None:
        """Add rows of cells {columns, rows, header, runs}."""
        for row in rows:
            self._add_row(row)

    def close(self) -> Any:
        """The finished element; rows are filled up to one width."""
        width = max((columns for _, columns in self._rows), default=1)
        properties = _child(self.element, "w:tblPr")
        _child(properties, "w:tblStyle", val="TableGrid")
        _child(properties, "w:tblW", type="auto", w="0")
        grid = _child(self.element, "w:tblGrid")
        for _ in range(width):
            _child(grid, "w:gridCol")
        for row, columns in self._rows:
            for _ in range(width - columns):
                _child(self._cell(row, 1), "w:p")
            self.element.append(row)
        return self.element

    def _add_row(self, cells: list[dict[str, Any]]) -> None:
        row = OxmlElement("w:tr")
        if cells and all(cell["header"] for cell in cells) and not self._rows:
            _child(_child(row, "w:trPr"), "w:tblHeader")
        column = 0
        waiting = list(cells)
        covered, self._covered = self._covered, {}
        while waiting or any(start >= column for start in covered):
            if column in covered:
                left, wide = covered.pop(column)
                _child(self._cell(row, wide, merge="continue"), "w:p")
                if left > 1:
                    self._covered[column] = (left - 1, wide)
                column += wide
                continue
            if not waiting:
                _child(self._cell(row, 1), "w:p")
                column += 1
                continue
            column += self._place(row, column, waiting, covered)
        self._rows.append((row, column))

    def _place(
        self,
        row: Any,
        column: int,
        waiting: list[dict[str, Any]],
        covered: dict[int, tuple[int, int]],
    ) -> int:
        """Put the next cell at `column`; how many columns it takes."""
        cell = waiting.pop(0)
        free = min([start for start in covered if start > column] + [MAX_COLUMNS]) - column
        wide: int = max(1, min(cell["columns"], free))
        high = min(cell["rows"], _MAX_ROW_SPAN)
        element = self._cell(row, wide, merge="restart" if high > 1 else "")
        paragraph = _child(element, "w:p")
        self._fill(paragraph, cell)
        if column + wide >= MAX_COLUMNS:  # what does not fit stays in the last cell
            for more in waiting:
                self._fill(paragraph, {**more, "runs": [["\t", []], *more["runs"]]})
            waiting.clear()
        if high > 1:
            self._covered[column] = (high - 1, wide)
        return wide

    def _cell(self, row: Any, wide: int, *, merge: str = "") -> Any:
        cell = _child(row, "w:tc")
        properties = _child(cell, "w:tcPr")
        if wide > 1:
            _child(properties, "w:gridSpan", val=str(wide))
        if merge:
            _child(properties, "w:vMerge", val=merge)
        return cell


def _child(parent: Any, tag: str, **values: str) -> Any:
    element = OxmlElement(tag)
    for name, value in values.items():
        element.set(qn(f"w:{name}"), value)
    parent.append(element)
    return element
