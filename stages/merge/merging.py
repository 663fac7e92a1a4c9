"""A job's pages merged: two passes over its results, memory independent of their number."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from shared.blocks import Block
from shared.followups import Choice
from shared.records import Job, PageTask
from shared.render.lines import compounds_of
from stages.merge.captions import attach_captions
from stages.merge.choosing import Chooser
from stages.merge.cleaning import LINED, cleaned, join_block
from stages.merge.continuation import mark_continuation
from stages.merge.furniture import FurnitureSurvey
from stages.merge.headings import HeadingSurvey
from stages.merge.pages import MergedPage, Results, primary_pages
from stages.merge.references import References

NO_CHOICES: Mapping[int, Choice] = MappingProxyType({})
_MAX_COMPOUNDS = 50_000  # hyphenated words remembered; a book has a few thousand


@dataclass(slots=True)
class Survey:
    """What the first pass learns of the document."""

    furniture: FurnitureSurvey = field(default_factory=FurnitureSurvey)
    headings: HeadingSurvey = field(default_factory=HeadingSurvey)
    compounds: set[str] = field(default_factory=set)
    page_count: int = 0
    chooser: Chooser = field(default_factory=lambda: Chooser({}))
    skip: AbstractSet[str] = frozenset()

    def add(self, page: MergedPage) -> None:
        """Learn from one page."""
        self.page_count += 1
        if page.result is None:
            return
        blocks = cleaned(page.blocks, self.skip)
        self.furniture.add(page.number, blocks)
        self.headings.add(page.number, blocks, page.result.width, page.result.height)
        if len(self.compounds) < _MAX_COMPOUNDS:
            for block in blocks:
                if block.type in LINED:
                    self.compounds |= compounds_of(block.content)


def survey(
    job: Job,
    results: Results,
    tasks: Sequence[PageTask],
    choices: Mapping[int, Choice] = NO_CHOICES,
    skip: AbstractSet[str] = frozenset(),
) -> Survey:
    """The first pass. `skip` names steps that are left out (`shared.merge_steps`)."""
    found = Survey(chooser=Chooser(choices), skip=skip)
    for page in primary_pages(job, results, tasks, found.chooser):
        found.add(page)
    return found


def merge(
    job: Job, results: Results, tasks: Sequence[PageTask], found: Survey | None = None
) -> Iterator[MergedPage]:
    """The job's pages in order, one at a time, with blocks that agree over the document.

    `results` gives a fresh iterator in page order each time it is called. Blocks change type
    (furniture), level, `caption_of` and `continues_prev`, and lose line breaks that the page's
    width made; none is dropped and all stay on their page.
    """
    found = found or survey(job, results, tasks)
    steps = _Steps(found)
    for page in primary_pages(job, results, tasks, found.chooser):
        yield replace(page, blocks=steps.apply(page)) if page.result is not None else page


class _Steps:
    """The second pass: `shared.merge_steps.STEPS` in their order, page by page."""

    def __init__(self, found: Survey) -> None:
        self._found = found
        self._references = References()
        self._previous: tuple[int, tuple[Block, ...]] = (0, ())

    def apply(self, page: MergedPage) -> tuple[Block, ...]:
        found, skip = self._found, self._found.skip
        result = page.result
        assert result is not None
        blocks = cleaned(page.blocks, skip)
        if "lines" not in skip:
            blocks = tuple(join_block(block, found.compounds) for block in blocks)
        if "furniture" not in skip:
            blocks = found.furniture.apply(page.number, blocks)
        if "headings" not in skip:
            blocks = found.headings.apply(page.number, blocks, result.width, result.height)
        if "references" not in skip:
            blocks = self._references.apply(blocks)
        if "captions" not in skip:
            blocks = attach_captions(blocks)
        if "continuation" not in skip and self._previous[0] == page.number - 1:
            blocks = mark_continuation(self._previous[1], blocks)
        self._previous = page.number, blocks
        return blocks
