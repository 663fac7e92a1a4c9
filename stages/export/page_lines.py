"""Lines of text with their places: as the engine saw them, else laid out inside the blocks."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from engines.registry import text_lines
from shared.blocks import Block, BlockType
from shared.errors import QuireError
from shared.records import PageResult
from shared.render import to_text
from shared.render.lines import is_cjk
from shared.settings import Settings
from shared.text_lines import Box, TextLine

log = logging.getLogger(__name__)

_LEADING = 1.2  # line distance over letter height; see `letter_size` in stages/merge/headings.py
_GIVEN_LINES = frozenset({BlockType.TABLE, BlockType.LIST, BlockType.CODE, BlockType.EQUATION})
_MAX_LINES = 2_000  # of one page; a full newspaper page has some 1,500


@dataclass(frozen=True, slots=True)
class BlockLines:
    """A block and its lines; lines that stand in no block have None."""

    block: Block | None
    lines: tuple[TextLine, ...]


def page_lines(result: PageResult, blocks: Sequence[Block], settings: Settings) -> list[BlockLines]:
    """All lines of a page in reading order, by block."""
    ordered = sorted(blocks, key=lambda block: block.order)
    try:
        seen = text_lines(result.engine, result.raw, settings)
    except QuireError as error:  # an engine that is not here any more, or raw output of old
        log.debug("page %d: lines from blocks: %s", result.page, error)
        seen = None
    if seen is None:
        size = result.width or 1.0, result.height or 1.0
        turned = result.turned_degrees
        return [BlockLines(block, _inside(block, size, turned)) for block in ordered]
    return _assigned(seen[:_MAX_LINES], ordered)


def _assigned(lines: Sequence[TextLine], blocks: Sequence[Block]) -> list[BlockLines]:
    """Each line to the smallest block around its middle; those of no block come last."""
    mine: dict[int, list[TextLine]] = {block.order: [] for block in blocks}
    strays: list[TextLine] = []
    by_size = sorted(blocks, key=_area)
    for line in lines:
        x, y = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
        owner = next((b for b in by_size if _holds(b.bbox, x, y)), None)
        (strays if owner is None else mine[owner.order]).append(line)
    found = [BlockLines(block, tuple(mine[block.order])) for block in blocks]
    return [*found, BlockLines(None, tuple(strays))] if strays else found


def _holds(box: Box, x: float, y: float) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _area(block: Block) -> float:
    x0, y0, x1, y1 = block.bbox
    return (x1 - x0) * (y1 - y0)


def _inside(block: Block, size: tuple[float, float], turned: int) -> tuple[TextLine, ...]:
    """The block's text in lines of even length that fill its box in the order of reading."""
    text = to_text([block], furniture=True).strip()
    x0, y0, x1, y1 = block.bbox
    if not text or block.type is BlockType.FIGURE or x1 <= x0 or y1 <= y0:
        return ()
    sideways = turned in {90, 270}
    texts = [" ".join(line.split()) for line in text.split("\n") if line.strip()]
    if block.type not in _GIVEN_LINES and len(texts) == 1:
        wide, high = (x1 - x0) * size[0], (y1 - y0) * size[1]
        sides = (high, wide) if sideways else (wide, high)
        texts = wrapped(texts[0], _line_count(texts[0], *sides))
    texts = texts[:_MAX_LINES]
    if turned in {180, 270}:  # the content's top is at the bottom, or at the right
        texts.reverse()
    count = len(texts)
    step = ((x1 - x0) if sideways else (y1 - y0)) / count
    lines = []
    for number, line in enumerate(texts):
        near, far = step * number, step * (number + 1)
        box = (x0 + near, y0, x0 + far, y1) if sideways else (x0, y0 + near, x1, y0 + far)
        lines.append(TextLine(line, box))
    return tuple(reversed(lines) if turned in {180, 270} else lines)


def _line_count(text: str, wide: float, high: float) -> int:
    """How many lines fill a box of points with letters of a natural size."""
    letters = max(weight(text), 1.0)
    letter_size = math.sqrt(wide * high / (letters * _LEADING))
    return max(1, min(round(high / (letter_size * _LEADING)), _MAX_LINES))


def weight(text: str) -> float:
    """The text's length in letter heights."""
    return sum(1.0 if is_cjk(character) else 0.5 for character in text)


def wrapped(text: str, count: int) -> list[str]:
    """The text in at most `count` lines of like length, broken between words, or CJK characters."""
    target = weight(text) / count
    lines: list[str] = []
    line, length = "", 0.0
    for word in _pieces(text):
        long = weight(word)
        if line and length + long / 2 > target and len(lines) < count - 1:
            lines.append(line.strip())
            line, length = "", 0.0
        line, length = line + word, length + long
    lines.append(line.strip())
    return [line for line in lines if line]


def _pieces(text: str) -> list[str]:
    """Words with the space behind them; each CJK character by itself."""
    pieces: list[str] = []
    word = ""
    for character in text:
        if is_cjk(character):
            pieces += [word, character] if word else [character]
            word = ""
            continue
        word += character
        if character == " ":
            pieces.append(word)
            word = ""
    return [*pieces, word] if word else pieces
