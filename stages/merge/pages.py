"""The pages of a job in order, each with the one engine whose reading the artifacts take."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from shared.blocks import Block
from shared.records import Job, PageResult, PageTask
from shared.states import PageState

Results = Callable[[], Iterator[PageResult]]


@dataclass(frozen=True, slots=True)
class MergedPage:
    """One page as the artifacts show it.

    `task` is that of the chosen engine: the first in the job's order whose page is done, else
    the first. `result` is None when no engine read the page; `others` are the other engines'.
    """

    number: int
    task: PageTask
    result: PageResult | None
    others: tuple[PageTask, ...]
    blocks: tuple[Block, ...] = ()

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


def primary_pages(job: Job, results: Results, tasks: Sequence[PageTask]) -> Iterator[MergedPage]:
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
        read = {r.asked: r for r in group} if group is not None and found == number else {}
        ranked = sorted(by_page[number], key=lambda t: (order.get(t.asked, len(order)), t.asked))
        done = [t for t in ranked if t.state is PageState.DONE and t.asked in read]
        task = done[0] if done else ranked[0]
        result = read.get(task.asked) if done else None
        others = tuple(other for other in ranked if other is not task)
        blocks = result.blocks if result is not None else ()
        yield MergedPage(number, task, result, others, blocks)
