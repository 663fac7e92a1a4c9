"""Small pages of drawn text with their truth: what the tiny model is trained on and tested with.

A page is a square of 92.16 points, 256 pixels at 200 dpi: a title (sometimes) and paragraphs of
lines, all in one monospaced font that every PDF reader has.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

PAGE_POINTS = 92.16
DPI = 200
PAGE_PIXELS = 256
BODY_POINTS, TITLE_POINTS = 8.0, 10.5
ADVANCE = 0.6  # of the font size: Courier
ASCENT, DESCENT = 0.63, 0.17  # of the font size: what a box has above and below the baseline
LINE_POINTS = 11.0
GAP_POINTS = 6.0  # between paragraphs
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
MARKS = ".,:;!?-()/'%&+\""
ALPHABET = LETTERS + LETTERS.upper() + DIGITS + MARKS + " \n"
TITLE_MARK = "#"
FREE = "Free OCR."
GROUNDED = "Convert the document to markdown."

MOST_LINES, MOST_CHARACTERS, MOST_IN_TITLE = 5, 16, 12


@dataclass(frozen=True, slots=True)
class Line:
    """Drawn text: where its baseline begins, in points from the top left."""

    text: str
    x: float
    baseline: float
    size: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in 0..1 of the page."""
        right = self.x + len(self.text) * ADVANCE * self.size
        top = self.baseline - ASCENT * self.size
        bottom = self.baseline + DESCENT * self.size
        x0, y0, x1, y1 = (value / PAGE_POINTS for value in (self.x, top, right, bottom))
        return x0, y0, x1, y1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together; `label` is the model's word for it."""

    label: str
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """Its lines, one below the other."""
        return "\n".join(line.text for line in self.lines)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box round its lines, in 0..1 of the page."""
        x0, y0, x1, y1 = zip(*(line.box for line in self.lines), strict=True)
        return min(x0), min(y0), max(x1), max(y1)


@dataclass(frozen=True, slots=True)
class Page:
    """What is drawn, from top to bottom."""

    paragraphs: tuple[Paragraph, ...] = field(default_factory=tuple)

    @property
    def lines(self) -> Iterator[Line]:
        """All lines."""
        return (line for paragraph in self.paragraphs for line in paragraph.lines)

    def free(self) -> str:
        """The answer to `FREE`: the lines as they are."""
        return "\n".join(paragraph.text for paragraph in self.paragraphs)

    def grounded(self) -> str:
        """The answer to `GROUNDED`: each paragraph after its label and box."""
        return "\n\n".join(head_of(part) + part.text for part in self.paragraphs)


def head_of(paragraph: Paragraph) -> str:
    """What stands before a paragraph's text in the answer to `GROUNDED`."""
    box = ", ".join(str(round(999 * value)) for value in paragraph.box)
    mark = f"{TITLE_MARK} " if paragraph.label == "title" else ""
    return f"<|ref|>{paragraph.label}<|/ref|><|det|>[[{box}]]<|/det|>\n{mark}"


def make_page(draw: random.Random, most_lines: int = MOST_LINES) -> Page:
    """A page of random text; with one line, that stands anywhere."""
    left = draw.randint(1, most_lines)
    x = draw.uniform(4.0, 10.0)
    y = draw.uniform(10.0, 18.0) if left > 1 else draw.uniform(10.0, 86.0)
    paragraphs: list[Paragraph] = []
    if left > 1 and draw.random() < 0.4:
        text = make_line(draw, 2, MOST_IN_TITLE)
        paragraphs.append(Paragraph("title", (Line(text, x, y, TITLE_POINTS),)))
        y += LINE_POINTS + GAP_POINTS
        left -= 1
    while left:
        count = min(left, draw.randint(1, 3))
        lines = []
        for _ in range(count):
            lines.append(Line(make_line(draw, 1, MOST_CHARACTERS), x, y, BODY_POINTS))
            y += LINE_POINTS
        left -= count
        paragraphs.append(Paragraph("text", tuple(lines)))
        y += GAP_POINTS
    return Page(tuple(paragraphs))


def make_line(draw: random.Random, fewest: int, most: int) -> str:
    """Random words, numbers and marks; no word of any language is needed to read them."""
    wanted = draw.randint(fewest, most)
    words: list[str] = []
    length = 0
    while length < wanted:
        words.append(_word(draw)[: wanted - length])
        length += len(words[-1]) + 1
    return " ".join(words)[:wanted].strip() or draw.choice(LETTERS)


def _word(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.2:
        word = "".join(draw.choices(DIGITS, k=draw.randint(1, 5)))
    else:
        word = "".join(draw.choices(LETTERS, k=draw.randint(1, 9)))
        if kind < 0.4:
            word = word.capitalize()
        elif kind < 0.5:
            word = word.upper()
    if draw.random() < 0.2:
        place = draw.randint(0, len(word))
        word = word[:place] + draw.choice(MARKS) + word[place:]
    return word
