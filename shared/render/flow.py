"""The order in which blocks of many pages are written, with captions in place and joins made.

Pages come one after the other and little is kept: the last unit that the next page may continue,
and what stands behind it on its page (figures, footnotes). When a continuation comes, those go
before the joined paragraph, so that all of a page stands before the mark of the next one.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from shared.blocks import Block, BlockType
from shared.render.lines import is_cjk, join_lines, join_pair
from shared.render.tables import Table, read_table

_PROSE = frozenset({BlockType.TEXT, BlockType.REFERENCE})
_JOINABLE = _PROSE | {BlockType.TABLE}
# What may stand between a paragraph and its continuation.
_FLOATS = frozenset({BlockType.FIGURE, BlockType.FOOTNOTE, BlockType.CAPTION, BlockType.TABLE})
_LINED = frozenset(
    {BlockType.TEXT, BlockType.REFERENCE, BlockType.FOOTNOTE, BlockType.CAPTION}
    | {BlockType.TITLE, BlockType.HEADING}
)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is written together: a block and its captions, a page's mark, or a note on a page.

    Of a chain of joined units, the later ones are `resumed`, all but the last `stay_open`, with
    `glue` before the next. `mark` is the page number to be named inside a resumed unit.
    """

    page: int
    block: Block | None = None
    above: tuple[Block, ...] = ()
    below: tuple[Block, ...] = ()
    note: str = ""
    table: Table | None = None
    header: tuple[tuple[str, ...], ...] = ()
    width: int = 0
    resumed: bool = False
    stays_open: bool = False
    glue: str = ""
    mark: int | None = None

    @property
    def is_mark(self) -> bool:
        """Only says that a page begins."""
        return self.block is None and not self.note

    @property
    def is_float(self) -> bool:
        """May stand between a paragraph and its continuation."""
        return self.is_mark or (self.block is not None and self.block.type in _FLOATS)

    @property
    def is_joinable(self) -> bool:
        """May be continued."""
        return self.block is not None and self.block.type in _JOINABLE


def shown_blocks(blocks: Iterable[Block], *, furniture: bool) -> list[Block]:
    """What of a page is written. Where heads and feet are all that it has, they are its text."""
    everything = list(blocks)
    if furniture:
        return everything
    text = [block for block in everything if not block.is_furniture]
    return text or [block for block in everything if block.type is not BlockType.PAGE_NUMBER]


def units_of(
    page: int, blocks: Iterable[Block], *, furniture: bool, join_breaks: bool
) -> Iterator[Unit]:
    """The page's units in reading order, each caption with its figure or table."""
    shown = shown_blocks(blocks, furniture=furniture)
    shown.sort(key=lambda block: block.order)
    owners = {b.order for b in shown if b.type in {BlockType.FIGURE, BlockType.TABLE}}
    captions: dict[int, list[Block]] = {}
    for block in shown:
        if _is_owned(block, owners):
            captions.setdefault(block.caption_of or 0, []).append(block)
    for block in shown:
        if _is_owned(block, owners):
            continue
        if join_breaks and block.type in _LINED:
            joined = join_lines(block.content)
            if joined != block.content:  # hardly ever: and a new block costs more than a look
                block = replace(block, content=joined)  # noqa: PLW2901
        mine = captions.pop(block.order, []) if block.order in owners else []
        above = tuple(caption for caption in mine if _is_above(caption, block))
        below = tuple(caption for caption in mine if not _is_above(caption, block))
        unit = Unit(page, block, above, below)
        if block.type is BlockType.TABLE:
            table = read_table(block.content)
            unit = replace(unit, table=table, header=table.header(), width=table.width)
        yield unit


def _is_owned(block: Block, owners: set[int]) -> bool:
    return block.type is BlockType.CAPTION and block.caption_of in owners


def _is_above(caption: Block, owner: Block) -> bool:
    middles = [(block.bbox[1] + block.bbox[3]) / 2 for block in (caption, owner)]
    return middles[0] < middles[1] if middles[0] != middles[1] else caption.order < owner.order


class Flow(ABC):
    """Takes pages in ascending order, gives text to be written; a subclass knows the format."""

    def __init__(self, *, marks: bool = False, furniture: bool = False) -> None:
        self.compounds: AbstractSet[str] = frozenset()  # words that keep their hyphen when joined
        self.join_breaks = True  # the page's line breaks go
        self._marks = marks
        self._furniture = furniture
        self._pending: list[Unit] = []

    def page(self, number: int, blocks: Iterable[Block], note: str = "") -> Iterator[str]:
        """What can be written now that this page is known. `note` stands in for a lost page."""
        if self._pending and number - self._pending[0].page > 1:
            yield from self._flush()
        if self._marks:
            yield from self._take(Unit(number))
        if note:
            yield from self._take(Unit(number, note=note))
        units = units_of(number, blocks, furniture=self._furniture, join_breaks=self.join_breaks)
        for unit in units:
            yield from self._take(unit)

    def finish(self) -> Iterator[str]:
        """What is left."""
        yield from self._flush()

    @abstractmethod
    def write(self, unit: Unit) -> str:
        """The unit in this format."""

    def accepts(self, _open: Unit, _following: Unit) -> bool:
        """Whether this format can write these two as one."""
        return True

    def _take(self, unit: Unit) -> Iterator[str]:
        if unit.block is not None and unit.block.continues_prev:
            index = self._continued(unit)
            if index is not None:
                yield from self._join(index, unit)
                return
        if unit.is_float and self._pending:
            self._pending.append(unit)
            return
        if self._pending:
            yield from self._flush()
        if unit.is_joinable:
            self._pending = [unit]
        else:
            yield self.write(unit)

    def _continued(self, unit: Unit) -> int | None:
        for index in range(len(self._pending) - 1, -1, -1):
            candidate = self._pending[index]
            if candidate.is_joinable and _same_kind(candidate, unit):
                return index if self.accepts(candidate, unit) else None
        return None

    def _join(self, index: int, unit: Unit) -> Iterator[str]:
        held, behind = self._pending[index], self._pending[index + 1 :]
        before = [u for u in behind if u.page < unit.page]
        after = [u for u in behind if u.page == unit.page and not u.is_mark]
        yield from (self.write(u) for u in (*self._pending[:index], *before))
        if self._marks and held.page != unit.page:
            unit = replace(unit, mark=unit.page)
        if held.table is not None:
            left, right = _joined_table(held, unit)
        else:
            left, right = _joined_prose(held, unit, self.compounds)
        yield self.write(left)
        self._pending = [right, *after]

    def _flush(self) -> Iterator[str]:
        pending, self._pending = self._pending, []
        yield from (self.write(unit) for unit in pending)


def _same_kind(left: Unit, right: Unit) -> bool:
    if left.block is None or right.block is None:
        return False
    if left.table is not None and right.table is not None:
        return left.width == right.width > 0 and not left.table.stray and not left.table.cut_cells
    has_text = bool(left.block.content.strip() and right.block.content.strip())
    return has_text and left.block.type in _PROSE and right.block.type in _PROSE


def _joined_prose(held: Unit, unit: Unit, compounds: AbstractSet[str]) -> tuple[Unit, Unit]:
    if held.block is None or unit.block is None:
        return held, unit
    left, glue, right = join_pair(held.block.content, unit.block.content, compounds)
    if not glue and unit.mark is not None and right and not is_cjk(right[0]):
        # The page's mark would stand inside a word: the word stays whole on the earlier page.
        head, _, tail = right.partition(" ")
        left, glue, right = left + head, " " if tail else "", tail
    return (
        replace(held, block=replace(held.block, content=left), stays_open=True, glue=glue),
        replace(unit, block=replace(unit.block, content=right), resumed=True),
    )


def _joined_table(held: Unit, unit: Unit) -> tuple[Unit, Unit]:
    table = unit.table.without_header(held.header) if unit.table else None
    if table is not None and not table.rows:
        table = unit.table  # only a header: it stays, so that the page's mark has a place
    below = held.below  # a caption below belongs below the whole table
    return (
        replace(held, stays_open=True, below=()),
        replace(unit, table=table, header=held.header, resumed=True, below=below + unit.below),
    )
