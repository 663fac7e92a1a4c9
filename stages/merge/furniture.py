"""Running heads, feet and page numbers that an engine took for text, known by repetition.

A line is furniture when the same text stands at the same height near the top or bottom of at
least three pages, and of most pages between the first and the last of them (or of most right-hand
or left-hand ones: books alternate). A number that counts with the pages may differ where page
numbers stand, at the line's beginning or end; a numbered heading ("Part 3") or a sentence is text.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.blocks import Block, BlockType

_BAND = 0.15  # share of the page's height in which heads and feet stand, at its top and bottom
_MAX_CHARS = 150
_PER_BAND = 4
_SAME_HEIGHT = 0.02  # of the page: scans are off by less, the next line of text by more
_MIN_PAGES = 3
_MAX_KEYS = 20_000  # texts remembered; the rare and old go first
_CANDIDATES = frozenset({BlockType.TEXT, BlockType.HEADING, BlockType.FOOTNOTE, BlockType.TITLE})
_HEADINGS = frozenset({BlockType.TITLE, BlockType.HEADING})
_NUMBER = re.compile(r"\d+")
_NUMBER_AT_AN_END = re.compile(
    r"^\W*(?:(?:page|p|pg|seite|s|página|pagina|стр|第)\W*)?#|#\W*(?:页|頁)?\W*$"
)
_PAGE_WORDS = frozenset(
    {"page", "p", "pg", "of", "seite", "s", "von", "página", "pagina", "de", "di", "sur"}
    | {"стр", "из", "第", "共", "页", "頁"}
)
_SENTENCE_WORDS = 4  # a line of more words that ends like a sentence is one

Key = tuple[str, str]


@dataclass(slots=True)
class _Seen:
    """One text at one height: on which pages, and how its numbers relate to the page's."""

    first: int
    last: int
    height: float
    count: int = 0
    odd: int = 0
    exact: Counter[str] = field(default_factory=Counter)
    offsets: list[Counter[int]] = field(default_factory=list)

    def add(self, page: int, height: float, text: str) -> None:
        self.height += (height - self.height) / (self.count + 1)
        self.count += 1
        self.odd += page % 2
        self.last = page
        self.exact[text] += 1
        numbers = [int(number) for number in _NUMBER.findall(text)[:8] if len(number) < 9]
        self.offsets += [Counter() for _ in range(len(numbers) - len(self.offsets))]
        for counter, number in zip(self.offsets, numbers, strict=False):
            counter[number - page] += 1
        if len(self.exact) > 64:  # only the frequent matter; memory stays small
            self.exact = Counter(dict(self.exact.most_common(32)))

    @property
    def repeats(self) -> bool:
        """Whether it stands on enough pages, and on most between the first and the last."""
        if self.count < _MIN_PAGES:
            return False
        span = self.last - self.first + 1
        one_side = self.odd in {0, self.count}
        return self.count * 2 > (span // 2 + 1 if one_side else span)

    @property
    def is_same(self) -> bool:
        """Whether most copies are equal, numbers too."""
        return self.exact.most_common(1)[0][1] * 10 >= self.count * 6

    @property
    def counts(self) -> bool:
        """Whether one of its numbers counts with the pages."""
        return any(
            counter and counter.most_common(1)[0][1] * 10 >= self.count * 6
            for counter in self.offsets
        )


class FurnitureSurvey:
    """First pass: counts what stands in the bands. Then tells furniture from text."""

    def __init__(self) -> None:
        self._seen: dict[Key, list[_Seen]] = {}

    def add(self, page: int, blocks: Sequence[Block]) -> None:
        """Count one page."""
        for zone, block in _band_blocks(blocks):
            text = _normal(block.content)
            places = self._seen.setdefault((zone, _NUMBER.sub("#", text)), [])
            height = _middle(block)
            place = _at(places, height)
            if place is None:
                if len(places) >= 8:
                    continue
                place = _Seen(page, page, height)
                places.append(place)
            if place.count == 0 or place.last != page:
                place.add(page, height, text)
        if len(self._seen) > _MAX_KEYS:
            self._forget(page)

    def apply(self, page: int, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """The blocks, repeated lines made header, footer or page number. None is dropped."""
        changed: dict[int, Block] = {}
        for zone, block in _band_blocks(blocks):
            text = _normal(block.content)
            shape = _NUMBER.sub("#", text)
            place = _at(self._seen.get((zone, shape), []), _middle(block))
            if place is None or not place.repeats:
                continue
            heading = block.type in _HEADINGS
            if place.is_same:
                if heading and place.first == page:
                    continue  # the heading itself, of which the running heads are copies
            elif not place.counts or not _is_page_number(shape, heading=heading):
                continue
            kind = BlockType.HEADER if zone == "top" else BlockType.FOOTER
            if not any(character.isalpha() for character in text):
                kind = BlockType.PAGE_NUMBER
            changed[id(block)] = replace(block, type=kind, level=None, continues_prev=False)
        return tuple(changed.get(id(block), block) for block in blocks)

    def _forget(self, page: int) -> None:
        self._seen = {
            key: places
            for key, places in self._seen.items()
            if any(place.count > 1 or page - place.last < 50 for place in places)
        }


def _band_blocks(blocks: Sequence[Block]) -> list[tuple[str, Block]]:
    fitting = [
        block
        for block in blocks
        if block.type in _CANDIDATES and 0 < len(block.content.strip()) <= _MAX_CHARS
    ]
    top = sorted((b for b in fitting if b.bbox[3] <= _BAND), key=lambda b: b.bbox[1])
    bottom = sorted((b for b in fitting if b.bbox[1] >= 1 - _BAND), key=lambda b: -b.bbox[3])
    has_box = [("top", b) for b in top[:_PER_BAND] if b.bbox[3] > b.bbox[1]]
    return has_box + [("bottom", b) for b in bottom[:_PER_BAND]]


def _is_page_number(shape: str, *, heading: bool) -> bool:
    """Whether a line (its numbers as #) holds a page number, rather than counting its subject."""
    words = [word for word in re.findall(r"[^\W\d_]+", shape) if word not in _PAGE_WORDS]
    if heading:
        return not words
    is_sentence = len(words) > _SENTENCE_WORDS and shape.endswith((".", "!", "?", "。"))
    return not is_sentence and _NUMBER_AT_AN_END.search(shape) is not None


def _at(places: list[_Seen], height: float) -> _Seen | None:
    return next((place for place in places if abs(place.height - height) <= _SAME_HEIGHT), None)


def _normal(content: str) -> str:
    return " ".join(content.casefold().split())


def _middle(block: Block) -> float:
    return (block.bbox[1] + block.bbox[3]) / 2
