"""The pages of a job in order, each with the one engine whose reading the artifacts take."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from shared.blocks import Block
from shared.records import Job, PageResult, PageTask
from shared.states import PageState
from stages.merge.choosing import Chooser

Results = Callable[[], Iterator[PageResult]]


@dataclass(frozen=True, slots=True)
class MergedPage:
    """One page as the artifacts show it.

    `task` is that of the chosen engine (`stages/merge/choosing.py`), else the first. `result` is
    None when no engine read the page; `others` are the other engines'.
    """

    number: int
    task: PageTask
    result: PageResult | None
    others: tuple[PageTask, ...]
    blocks: tuple[Block, ...] = ()
    chosen_by: str = ""

    @property
    def note(self) -> str:
        """What stands in md, html and txt for a page that was not read, else ""."""
        if self.result is not None:
            return ""
        if self.task.state is PageState.CANCELLED:
            return f"[page {self.number} was cancelled]"
        reason = " ".join(self.task.reason.split())[:500].rstrip(".")
        return f"[page {self.number} could not be read: {reason or 'no reason is known'}]"

    def to_json(self, markdown: str) -> dict[str, Any]:
        """The page in result.json."""
        result = self.result
        state = self.task.state if result is not None else _lost_state(self.task)
        return {
            "page": self.number,
            "engine": self.task.engine,
            "asked": self.task.asked,
            "choice": self.task.choice or None,
            "job": self.task.job,
            "chosen_by": self.chosen_by or None,
            "state": state.value,
            "reason": self.task.reason or None,
            "source": result.source if result else None,
            "model": result.model if result else None,
            "width": result.width if result else None,
            "height": result.height if result else None,
            "turned_degrees": result.turned_degrees if result else 0,
            "skew_degrees": result.skew_degrees if result else 0.0,
            "blocks": [block.to_json() for block in self.blocks],
            "markdown": markdown,
            "warnings": list(result.warnings) if result else [],
            "timings_milliseconds": dict(result.timings) if result else {},
            "alternatives": [
                {"engine": task.engine, "state": task.state.value} for task in self.others
            ],
        }


def _lost_state(task: PageTask) -> PageState:
    """A page without a result never counts as done."""
    return PageState.CANCELLED if task.state is PageState.CANCELLED else PageState.FAILED


def primary_pages(
    job: Job, results: Results, tasks: Sequence[PageTask], chooser: Chooser
) -> Iterator[MergedPage]:
    """The job's pages, ascending, read once from the start; one page in memory at a time."""
    order = {name: index for index, name in enumerate(job.engines)}
    by_page: dict[int, list[PageTask]] = {}
    for task in tasks:
        by_page.setdefault(task.page, []).append(task)
    groups = groupby(results(), key=lambda result: result.page)
    found, group = next(groups, (None, None))
    for number in sorted(by_page):
        while found is not None and found < number:
            found, group = next(groups, (None, None))
        read = list(group) if group is not None and found == number else []
        ranked = sorted(by_page[number], key=lambda t: (order.get(t.asked, len(order)), t.asked))
        yield _merged_page(job, number, ranked, read, chooser)


def _merged_page(
    job: Job,
    number: int,
    ranked: Sequence[PageTask],
    read: Sequence[PageResult],
    chooser: Chooser,
) -> MergedPage:
    own = {result.asked: result for result in read if result.job == job.id}
    done = {t.asked for t in ranked if t.state is PageState.DONE}
    readings = [own[t.asked] for t in ranked if t.asked in done and t.asked in own]
    readings += [result for result in read if result.job != job.id]
    chosen = chooser.choose(number, readings)
    if chosen is None:
        return MergedPage(number, ranked[0], None, tuple(ranked[1:]))
    result = chosen.result
    if result.job == job.id:
        task = next(t for t in ranked if t.asked == result.asked)
    else:
        task = _task_elsewhere(result)
    others = tuple(other for other in ranked if other is not task)
    return MergedPage(number, task, result, others, result.blocks, chosen.by)


def _task_elsewhere(result: PageResult) -> PageTask:
    """The page task of another job, as far as the result tells."""
    return PageTask(
        result.job,
        result.page,
        result.engine,
        PageState.DONE,
        source=result.source,
        asked=result.asked,
    )
