"""One export of a finished job, written into the blob store page by page.

Exports are made when they are asked for and not when a job ends: most jobs are read as Markdown
or JSON, and a searchable PDF is as large as its original. One page at a time is in memory here;
what must be whole (a Word document, the changed objects of a PDF) is in a child that ends with it.
"""

from collections.abc import Callable, Iterable, Iterator

from shared.merge_steps import skipped_by
from shared.records import Job
from shared.render.lines import clean_text
from shared.settings import Settings
from stages.export import hocr
from stages.export.page_lines import page_lines
from stages.export.word import word_document
from stages.merge import MergedPage, merge, survey, taken_first
from stages.reader.searchable_document import PageLines, searchable_pdf
from stages.reader.terms import ReaderLimits
from store import Store

GoOn = Callable[[], None]


def make_export(kind: str, job: Job, store: Store, settings: Settings, go_on: GoOn) -> str:
    """Make one of `EXPORTS`; the sha256 of the blob.

    `go_on` is called for each page and may raise, to stop. QuireError: it cannot be made.
    """
    pages = _Pages(job, store, settings, go_on)
    writers: dict[str, Callable[[], Iterable[bytes]]] = {
        "hocr": lambda: _hocr(job, pages, settings),
        "docx": lambda: _word(job, pages, settings, store),
        "pdf": lambda: _pdf(job, pages, settings, store),
    }
    with store.blobs.writer() as writer:
        for part in writers[kind]():
            writer.write(part)
        return writer.commit()[0]


class _Pages:
    """The merged pages of a job, as often as they are asked for."""

    def __init__(self, job: Job, store: Store, settings: Settings, go_on: GoOn) -> None:
        self._job = job
        self._tasks = store.pages(job.id)
        choices = store.choices(job.id)
        self._results = taken_first(
            job.id,
            lambda: store.results(job.id),
            choices,
            lambda page: store.taken_result(job.id, page),
        )
        self._go_on = go_on
        skip = skipped_by(job.options, settings.merge_skip)
        self.found = survey(job, self._results, self._tasks, choices, skip)

    def __iter__(self) -> Iterator[MergedPage]:
        for page in merge(self._job, self._results, self._tasks, self.found):
            self._go_on()
            yield page


def _hocr(job: Job, pages: _Pages, settings: Settings) -> Iterator[bytes]:
    yield hocr.head(clean_text(job.document.name)).encode()
    for page in pages:
        result = page.result
        lines = page_lines(result, page.blocks, settings) if result is not None else []
        yield hocr.page(result, page.number, lines).encode()
    yield hocr.END.encode()


def _word(job: Job, pages: _Pages, settings: Settings, store: Store) -> Iterator[bytes]:
    title = clean_text(job.document.name)
    return word_document(title, pages, pages.found, settings, store.blobs.read)


def _pdf(job: Job, pages: _Pages, settings: Settings, store: Store) -> Iterator[bytes]:
    def lines() -> Iterator[PageLines]:
        for page in pages:
            result = page.result
            if result is None:
                continue
            angle = result.turned_degrees + result.skew_degrees
            blocks = page_lines(result, page.blocks, settings)
            yield page.number, angle, [line for block in blocks for line in block.lines]

    path = store.blobs.path(job.document.id)
    return searchable_pdf(path, ReaderLimits.of(settings), lines)
