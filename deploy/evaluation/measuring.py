"""Takes finished jobs, scores what each engine read, keeps the figures."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.evaluation.truths import Truth
from shared.compare import Difference, word_differences
from shared.measures import Scores, score
from shared.measures.comparable import Comparable, ignored_lines
from shared.records import Job, PageResult, PageTask
from shared.render import MarkdownFlow
from shared.states import PageState

if TYPE_CHECKING:
    from store.store import Store


@dataclass(frozen=True, slots=True)
class Row:
    """One engine on one truth. `seconds` and `attempts` are those of the pages in question."""

    engine: str
    truth: Truth
    scores: Scores
    pages: int
    failed: int
    seconds: float
    attempts: int
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """The row without texts."""
        return {
            "engine": self.engine,
            "document": self.truth.document.name,
            "page": self.truth.page,
            **self.scores.to_json(),
            "pages": self.pages,
            "failed_pages": self.failed,
            "seconds": round(self.seconds, 3),
            "attempts": self.attempts,
        }


class Measuring:
    """The output of the jobs: one job for each document, with all engines."""

    def __init__(self, truths: list[Truth]) -> None:
        self._truths: dict[str, list[Truth]] = {}
        for truth in truths:
            self._truths.setdefault(str(truth.document), []).append(truth)
        self._lock = threading.Lock()
        self.rows: list[Row] = []

    @property
    def files(self) -> tuple[str, ...]:
        """The documents to read."""
        return tuple(self._truths)

    def write(self, store: "Store", job: Job, name: str, _ended: Callable[[], bool]) -> str:
        """Score the job of a document."""
        tasks = store.pages(job.id)
        rows = [
            _row(store, job, tasks, engine, truth)
            for engine in job.engines
            for truth in self._truths[name]
        ]
        with self._lock:
            self.rows += rows
        told = ", ".join(f"{row.engine} {row.scores.ned:.3f}" for row in rows)
        return f"NED {told}" if told else ""

    def add_unread(self, engines: tuple[str, ...]) -> None:
        """Rows for documents that gave no result: nothing of them was read."""
        known = {(row.engine, row.truth) for row in self.rows}
        for truth in (truth for truths in self._truths.values() for truth in truths):
            for engine in engines:
                if (engine, truth) not in known:
                    scores = score(truth.read(), "")
                    self.rows.append(Row(engine, truth, scores, 1, 1, 0.0, 0, ()))


def _row(store: "Store", job: Job, tasks: list[PageTask], engine: str, truth: Truth) -> Row:
    mine = [t for t in tasks if t.asked == engine and truth.page in {None, t.page}]
    text = _markdown(store, job, mine, engine)
    right = truth.read()
    ours = Comparable.of(text, ignored_lines(right))
    pieces, _ = word_differences(Comparable.of(right).text, ours.text)
    return Row(
        engine=engine,
        truth=truth,
        scores=score(right, text),
        pages=len(mine),
        failed=sum(task.state is not PageState.DONE for task in mine),
        seconds=sum(task.milliseconds or 0.0 for task in mine) / 1000,
        attempts=sum(task.attempts for task in mine),
        differences=tuple(pieces),
    )


def _markdown(store: "Store", job: Job, tasks: list[PageTask], engine: str) -> str:
    """What the engine read on these pages, merged as for a result."""
    from stages.merge import merge, survey

    wanted = {task.page for task in tasks}

    def results() -> Iterator[PageResult]:
        return (r for r in store.results(job.id) if r.asked == engine and r.page in wanted)

    found = survey(job, results, tasks)
    flow = MarkdownFlow()
    flow.compounds = found.compounds
    parts: list[str] = []
    for page in merge(job, results, tasks, found):
        parts += flow.page(page.number, page.blocks)
    return "".join([*parts, *flow.finish()])


def names_of(folder: Path, truths: list[Truth]) -> str:
    """What is measured, for people."""
    documents = {truth.document for truth in truths}
    return f"{len(truths)} texts of {len(documents)} documents in {folder}"
