"""Tables as trees, and how alike two are: TEDS, the tree edit distance based similarity.

Zhong et al., "Image-based table recognition: data, model, and evaluation" (2020); the distance is
Zhang and Shasha's (1989). Nodes are the table, its rows and its cells; to rename a cell costs the
normalised edit distance of the texts, or 1 where spans differ.
"""

import html
import re
from dataclasses import dataclass
from html.parser import HTMLParser

from rapidfuzz.distance import Levenshtein

MAX_NODES = 1_500  # above, rows are compared as text: the distance takes nodes squared
_MAX_SPAN = 1_000


@dataclass(frozen=True, slots=True)
class TreeCell:
    """A cell as it is compared."""

    text: str
    columns: int = 1
    rows: int = 1


Rows = tuple[tuple[TreeCell, ...], ...]
_Node = tuple[str, int, int, str]  # tag, columns, rows, text


class _Reader(HTMLParser):
    """All tables of some HTML, an inner one before the one around it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[Rows] = []
        self._open: list[list[list[TreeCell]]] = []
        self._text: list[str] | None = None
        self._spans = (1, 1)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._end_cell()
            self._open.append([])
        elif self._open and tag == "tr":
            self._end_cell()
            self._open[-1].append([])
        elif self._open and tag in {"td", "th"}:
            self._end_cell()
            values = dict(attrs)
            self._spans = _span(values.get("colspan")), _span(values.get("rowspan"))
            self._text = []
        elif tag == "br" and self._text is not None:
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th", "tr", "table"}:
            self._end_cell()
        if tag == "table" and self._open:
            self.tables.append(tuple(tuple(row) for row in self._open.pop() if row))

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _end_cell(self) -> None:
        if self._text is None or not self._open:
            return
        if not self._open[-1]:
            self._open[-1].append([])
        self._open[-1][-1].append(TreeCell("".join(self._text), *self._spans))
        self._text = None


def html_rows(source: str) -> list[Rows]:
    """The tables of some HTML, without empty ones."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return [rows for rows in reader.tables if rows]


def pipe_rows(lines: list[str]) -> Rows:
    """A table of Markdown pipes; an empty header, which a converter made up, is left out."""
    rows = []
    for line in lines:
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        rows.append(tuple(TreeCell(_pipe_text(cell)) for cell in cells))
    if len(rows) > 1 and not any(cell.text for cell in rows[0]):
        rows.pop(0)
    return tuple(rows)


def rows_text(rows: Rows) -> str:
    """The table as lines of words."""
    return "\n".join(
        " ".join(cell.text.strip() for cell in row if cell.text.strip()) for row in rows
    )


def likeness(left: Rows, right: Rows, *, structure_only: bool = False) -> float:
    """TEDS of two tables whose cells hold normalised text: 1 the same, 0 nothing in common."""
    if not left or not right:
        return 0.0
    nodes = max(_count(left), _count(right))
    if nodes > MAX_NODES:
        lines = [
            "\n".join("\t".join(c.text for c in row) for row in rows) for rows in (left, right)
        ]
        return float(Levenshtein.normalized_similarity(*lines))
    trees = [_Tree(rows, with_text=not structure_only) for rows in (left, right)]
    return 1.0 - _distance(*trees) / nodes


class _Tree:
    """Nodes in postorder, the leftmost leaf below each, and the roots of subtrees to compare."""

    def __init__(self, rows: Rows, *, with_text: bool) -> None:
        self.nodes: list[_Node] = []
        self.leftmost: list[int] = []
        for row in rows:
            first = len(self.nodes)
            for cell in row:
                self.leftmost.append(len(self.nodes))
                text = cell.text if with_text else ""
                self.nodes.append(("td", cell.columns, cell.rows, text))
            self.leftmost.append(first)
            self.nodes.append(("tr", 1, 1, ""))
        self.leftmost.append(0)
        self.nodes.append(("table", 1, 1, ""))
        last = {leaf: index for index, leaf in enumerate(self.leftmost)}
        self.roots = sorted(last.values())


def _distance(a: _Tree, b: _Tree) -> float:
    known = [[0.0] * len(b.nodes) for _ in a.nodes]
    for i in a.roots:
        for j in b.roots:
            _fill(a, b, i, j, known)
    return known[-1][-1]


def _fill(a: _Tree, b: _Tree, i: int, j: int, known: list[list[float]]) -> None:
    """Distances of all forests that begin where the subtrees of i and j begin."""
    first_a, first_b = a.leftmost[i], b.leftmost[j]
    above = [float(n) for n in range(j - first_b + 2)]
    rows = [above]
    for x in range(first_a, i + 1):
        row = [rows[-1][0] + 1.0]
        whole_a = a.leftmost[x] == first_a
        before_a = rows[a.leftmost[x] - first_a]
        for y in range(first_b, j + 1):
            column = y - first_b + 1
            cheapest = min(rows[-1][column] + 1.0, row[-1] + 1.0)
            if whole_a and b.leftmost[y] == first_b:
                cheapest = min(cheapest, rows[-1][column - 1] + _rename(a.nodes[x], b.nodes[y]))
                known[x][y] = cheapest
            else:
                cheapest = min(cheapest, before_a[b.leftmost[y] - first_b] + known[x][y])
            row.append(cheapest)
        rows.append(row)


def _rename(a: _Node, b: _Node) -> float:
    if a[:3] != b[:3]:
        return 1.0
    return float(Levenshtein.normalized_distance(a[3], b[3])) if a[3] != b[3] else 0.0


def _lines(rows: Rows) -> str:
    return "\n".join("\t".join(cell.text for cell in row) for row in rows)


def _count(rows: Rows) -> int:
    return 1 + sum(1 + len(row) for row in rows)


def _span(value: str | None) -> int:
    digits = (value or "").strip()
    return min(max(int(digits), 1), _MAX_SPAN) if digits.isdecimal() and len(digits) < 9 else 1


def _pipe_text(cell: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", cell)).replace("\\|", "|").strip()
