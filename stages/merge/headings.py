"""Heading levels that agree over the whole document.

Engines judge a page alone: the only heading of a page is its largest. Numbering (1, 1.1, 1.1.1)
decides where it is there. The others are ranked by the size of their letters, estimated from the
box, beside the numbered headings of their size; by the engine's level where sizes do not differ.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.blocks import Block, BlockType
from shared.render.lines import is_cjk

_HEADINGS = frozenset({BlockType.TITLE, BlockType.HEADING})
_SAME_SIZE = 1.12  # boxes of one style differ by descenders and scanning by up to a tenth
_MAX_LEVEL = 6
_TITLE_PAGES = 3  # a title stands on the first pages that have anything
_DECIMAL = re.compile(
    r"[*_]*(?:§\s*)?((?:\d{1,3}|[A-Z](?=\.\d))(?:\.\d{1,3}){0,5})([.)]?)[*_]*(?=\s)"
)
_CHAPTER = re.compile(
    r"[*_]*(?:chapter|part|appendix|kapitel|teil|anhang|chapitre|partie|annexe|cap[ií]tulo)\s+\w{1,5}\b"
    r"|[*_]*第[\d一二三四五六七八九十百零〇]{1,5}[章編编篇部]",
    re.IGNORECASE,
)
_ESCAPED_STOP = re.compile(r"\\([.)])")  # content is Markdown, where "1." would begin a list
_CJK_SECTION = re.compile(r"[*_]*第[\d一二三四五六七八九十百零〇]{1,5}[節节]")


def numbering_depth(content: str) -> int | None:
    """1 for "1 Scope" and "Chapter 2", 2 for "1.1 Terms", ...; None without a number."""
    text = _ESCAPED_STOP.sub(r"\1", content.strip()[:200])
    if _CHAPTER.match(text):
        return 1
    if _CJK_SECTION.match(text):
        return 2
    match = _DECIMAL.match(text)
    if match is None:
        return None
    parts = match[1].split(".")
    if len(parts) == 1 and (not match[2] and int(parts[0]) > 50):
        return None  # "1984 in Review" is no chapter
    return len(parts)


def letter_size(block: Block, width: float, height: float) -> float:
    """About the letters' height in points, from the box; 0 when the page has no measure."""
    wide, high = (block.bbox[2] - block.bbox[0]) * width, (block.bbox[3] - block.bbox[1]) * height
    letters = sum(1.0 if is_cjk(character) else 0.5 for character in block.content.strip())
    if wide <= 0 or high <= 0 or not letters:
        return 0.0
    by_area = math.sqrt(wide * high / (letters * 1.2))  # lines stand 1.2 letters apart
    lines = max(1, block.content.strip().count("\n") + 1, round(high / (by_area * 1.2)))
    return high / (lines * 1.2)


@dataclass(frozen=True, slots=True)
class _Style:
    size: int  # in half points
    level: int


@dataclass(slots=True)
class HeadingSurvey:
    """First pass: counts heading styles and finds the title. Then gives levels."""

    styles: Counter[_Style] = field(default_factory=Counter)
    depths: dict[_Style, Counter[int]] = field(default_factory=dict)
    title: tuple[int, int] | None = None  # page, order
    _pages_with_blocks: int = 0
    _levels: dict[_Style, int] | None = None

    def add(self, page: int, blocks: Sequence[Block], width: float, height: float) -> None:
        """Count one page."""
        self._pages_with_blocks += bool(blocks)
        titles = [
            (letter_size(block, width, height), -block.order)
            for block in blocks
            if block.type is BlockType.TITLE and numbering_depth(block.content) is None
        ]
        if titles and self.title is None and self._pages_with_blocks <= _TITLE_PAGES:
            self.title = (page, -max(titles)[1])
        for block in blocks:
            if block.type in _HEADINGS and (page, block.order) != self.title:
                style = _style(block, width, height)
                self.styles[style] += 1
                depth = numbering_depth(block.content)
                if depth is not None:
                    self.depths.setdefault(style, Counter())[depth] += 1

    def apply(
        self, page: int, blocks: Sequence[Block], width: float, height: float
    ) -> tuple[Block, ...]:
        """The blocks with the document's levels; all titles but one become headings."""
        if self._levels is None:
            self._levels = self._rank()
        base = 1 if self.title is not None else 0
        done = []
        for block in blocks:
            if block.type in _HEADINGS and (page, block.order) == self.title:
                done.append(replace(block, type=BlockType.TITLE, level=1))
            elif block.type in _HEADINGS:
                depth = numbering_depth(block.content)
                level = depth or self._levels.get(_style(block, width, height), 1)
                level = min(base + level, _MAX_LEVEL)
                done.append(replace(block, type=BlockType.HEADING, level=level))
            else:
                done.append(block)
        return tuple(done)

    def _rank(self) -> dict[_Style, int]:
        """Level 1.. of each style, without the title's."""
        groups = self._groups()
        known = [self._usual_depth(group) for group in groups]
        ranks: list[int] = []
        for index, depth in enumerate(known):
            if depth is not None:
                ranks.append(depth)
            elif not any(known):
                ranks.append(index + 1)
            else:
                larger = [d for d in known[:index] if d is not None]
                ranks.append(max(larger) + 1 if larger else 1)
        return {style: rank for group, rank in zip(groups, ranks, strict=True) for style in group}

    def _groups(self) -> list[list[_Style]]:
        """Styles of one look together, the largest first."""
        ordered = sorted(self.styles, key=lambda style: -style.size)
        groups: list[list[_Style]] = []
        for style in ordered:
            if groups and groups[-1][0].size <= style.size * _SAME_SIZE:
                groups[-1].append(style)
            else:
                groups.append([style])
        if len(groups) > 1 or not groups:
            return groups
        levels = sorted({style.level for style in groups[0]})
        return [[style for style in groups[0] if style.level == level] for level in levels]

    def _usual_depth(self, group: list[_Style]) -> int | None:
        counts: Counter[int] = Counter()
        for style in group:
            counts.update(self.depths.get(style, {}))
        return counts.most_common(1)[0][0] if counts else None


def _style(block: Block, width: float, height: float) -> _Style:
    level = block.level or (1 if block.type is BlockType.TITLE else 2)
    return _Style(round(2 * letter_size(block, width, height)), level)
