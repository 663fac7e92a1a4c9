"""What a page consists of once it is laid out: regions, and their lines of text."""

from dataclasses import dataclass

from engines.frame import Box


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


def holds(box: Box, line: Box) -> bool:
    """Whether the middle of a line lies in a box."""
    x, y = (line[0] + line[2]) / 2, (line[1] + line[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]
