"""Paragraphs and tables that go on on the next page are marked `continues_prev`."""

import re
from collections.abc import Sequence
from dataclasses import replace

from shared.blocks import Block, BlockType
from shared.render.lines import is_cjk
from shared.render.tables import read_table

_PROSE = BlockType.TEXT
_SENTENCE_END = re.compile(r"[.!?…:;。！？：；．」』”\"'’)\]）】*_]$")
_LIST_MARK = re.compile(r"(?:[-*+•]\s|\d{1,3}[.)]\s|[(（]?\w{1,3}[)）]\s)")
_CONTINUED = re.compile(r"\bcont(?:inued|['’]?d|\.)|fortsetzung|suite|续|續|続", re.IGNORECASE)
_FLOATS = frozenset({BlockType.FIGURE, BlockType.TABLE, BlockType.CAPTION, BlockType.FOOTNOTE})
_SAME_EDGE = 0.03  # of the page's width: table edges on facing pages
_SAME_WIDTH = 0.15  # of the column's width: lines of one column
_TABLE_BOTTOM = 0.5  # a table that ends above has room below and is whole
_TABLE_TOP = 0.4


def mark_continuation(previous: Sequence[Block], blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The page's blocks, the one that continues the previous page's end marked so."""
    first = _first_text(blocks)
    if first is not None and not first.continues_prev:
        last = _last_text(previous)
        if last is not None and _goes_on(last, first):
            return _marked(blocks, first)
    table = _first_table(blocks)
    if table is not None and not table.continues_prev:
        above = _last_table(previous)
        if above is not None and _same_table(above, table):
            return _marked(blocks, table)
    return tuple(blocks)


def _marked(blocks: Sequence[Block], block: Block) -> tuple[Block, ...]:
    return tuple(replace(b, continues_prev=True) if b is block else b for b in blocks)


def _first_text(blocks: Sequence[Block]) -> Block | None:
    for block in _in_order(blocks):
        if block.type is _PROSE:
            return block
        if block.type not in _FLOATS:
            return None
    return None


def _last_text(blocks: Sequence[Block]) -> Block | None:
    return _first_text([replace(b, order=-b.order) for b in blocks])


def _in_order(blocks: Sequence[Block]) -> list[Block]:
    return sorted((b for b in blocks if not b.is_furniture), key=lambda block: block.order)


def _goes_on(last: Block, first: Block) -> bool:
    left, right = last.content.rstrip(), first.content.lstrip()
    if not left or not right or _SENTENCE_END.search(left) or _LIST_MARK.match(right):
        return False
    starts_within = right[0].islower() or (is_cjk(left[-1]) and is_cjk(right[0]))
    return starts_within and _same_column(last, first)


def _same_column(last: Block, first: Block) -> bool:
    """Widths agree; a paragraph's last lines may be shorter, so one may be the narrower."""
    widths = [block.bbox[2] - block.bbox[0] for block in (last, first)]
    if not all(width > 0 for width in widths):
        return True
    return min(widths) >= max(widths) * (1 - _SAME_WIDTH) or widths[1] < widths[0]


def _first_table(blocks: Sequence[Block]) -> Block | None:
    for block in _in_order(blocks):
        if block.type is BlockType.TABLE:
            return block
        if block.type is not BlockType.CAPTION or not _says_continued(block):
            return None
    return None


def _says_continued(block: Block) -> bool:
    return _CONTINUED.search(block.content) is not None


def _last_table(blocks: Sequence[Block]) -> Block | None:
    for block in reversed(_in_order(blocks)):
        if block.type is BlockType.TABLE:
            return block
        if block.type not in {BlockType.FOOTNOTE, BlockType.CAPTION}:
            return None
    return None


def _same_table(above: Block, below: Block) -> bool:
    edges = (above.bbox[0] - below.bbox[0], above.bbox[2] - below.bbox[2])
    if any(abs(edge) > _SAME_EDGE for edge in edges):
        return False
    if above.bbox[3] < _TABLE_BOTTOM or below.bbox[1] > _TABLE_TOP:
        return False
    return read_table(above.content).width == read_table(below.content).width > 0
