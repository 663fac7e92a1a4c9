"""A job's pages merged: two passes over its results, memory independent of their number."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from shared.blocks import Block, BlockType
from shared.followups import Choice
from shared.records import Job, PageTask
from shared.render import sanitize_html
from shared.render.lines import clean_text, compounds_of, join_lines
from stages.merge.captions import attach_captions
from stages.merge.choosing import Chooser
from stages.merge.continuation import mark_continuation
from stages.merge.furniture import FurnitureSurvey
from stages.merge.headings import HeadingSurvey
from stages.merge.pages import MergedPage, Results, primary_pages

NO_CHOICES: Mapping[int, Choice] = MappingProxyType({})
_MAX_COMPOUNDS = 50_000  # hyphenated words remembered; a book has a few thousand
_LINED = frozenset(
    {BlockType.TEXT, BlockType.REFERENCE, BlockType.FOOTNOTE, BlockType.CAPTION}
    | {BlockType.TITLE, BlockType.HEADING}
)


@dataclass(slots=True)
class Survey:
    """What the first pass learns of the document."""

    furniture: FurnitureSurvey = field(default_factory=FurnitureSurvey)
    headings: HeadingSurvey = field(default_factory=HeadingSurvey)
    compounds: set[str] = field(default_factory=set)
    page_count: int = 0
    chooser: Chooser = field(default_factory=lambda: Chooser({}))

    def add(self, page: MergedPage) -> None:
        """Learn from one page."""
        self.page_count += 1
        if page.result is None:
            return
        blocks = [replace(block, content=clean_text(block.content)) for block in page.blocks]
        self.furniture.add(page.number, blocks)
        self.headings.add(page.number, blocks, page.result.width, page.result.height)
        if len(self.compounds) < _MAX_COMPOUNDS:
            for block in blocks:
                if block.type in _LINED:
                    self.compounds |= compounds_of(block.content)


def survey(
    job: Job,
    results: Results,
    tasks: Sequence[PageTask],
    choices: Mapping[int, Choice] = NO_CHOICES,
) -> Survey:
    """The first pass."""
    found = Survey(chooser=Chooser(choices))
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
    previous: MergedPage | None = None
    for page in primary_pages(job, results, tasks, found.chooser):
        if page.result is not None:
            width, height = page.result.width, page.result.height
            blocks = tuple(_tidy(block, found.compounds) for block in page.blocks)
            blocks = found.furniture.apply(page.number, blocks)
            blocks = found.headings.apply(page.number, blocks, width, height)
            blocks = attach_captions(blocks)
            if previous is not None and previous.number == page.number - 1:
                blocks = mark_continuation(previous.blocks, blocks)
            page = replace(page, blocks=blocks)  # noqa: PLW2901 - the same page, merged
        yield page
        previous = page


def _tidy(block: Block, compounds: AbstractSet[str]) -> Block:
    content = clean_text(block.content)
    if block.type is BlockType.TABLE and "<" in content:
        content = sanitize_html(content)
    elif block.type in _LINED:
        content = join_lines(content, compounds)
    return replace(block, content=content) if content != block.content else block
