"""Progress of jobs on stderr: bars where a person looks on, lines elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from shared.records import Counts


class JobProgress:
    """One bar for each job, in pages; a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("pages"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def add(self, job: str, name: str) -> None:
        """Show a job whose number of pages is not known yet."""
        self._tasks[job] = self._bars.add_task(escape(name), total=None)

    def show(self, job: str, counts: Counts) -> None:
        """Show how far a job is."""
        if counts.total and job in self._tasks:
            self._bars.update(self._tasks[job], completed=counts.settled, total=counts.total)

    def say(self, line: str) -> None:
        """A line beside the bars."""
        if self._console.is_terminal:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()
