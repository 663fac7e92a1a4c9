"""A worker's tasks as the pages of an engine."""

import time
from dataclasses import dataclass

from bus.worker import Delivery, Worker
from shared.messages import Task
from shared.ocr_backend import PageFeed, PageInput


@dataclass(frozen=True, slots=True)
class Begun:
    """A task that the engine has taken, and when (seconds of the performance counter)."""

    task: Task
    page: PageInput
    at: float


class TaskFeed(PageFeed):
    """Begins each task when its page is taken, and knows those that are not answered yet.

    `first` are deliveries that were taken from the worker already. A live feed goes on with
    whatever else the worker gets, until it drains.
    """

    def __init__(self, worker: Worker, first: list[Delivery], *, live: bool, prefetch: int) -> None:
        self._worker = worker
        self._first = first
        self._live = live
        self._prefetch = prefetch
        self.open: dict[str, Begun] = {}

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[PageInput]:
        """See PageFeed."""
        deliveries, self._first = self._first[:limit], self._first[limit:]
        if not deliveries and not self.closed:
            deliveries = self._worker.take(limit, timeout_seconds)
        return [self._begin(delivery) for delivery in deliveries]

    @property
    def closed(self) -> bool:
        """See PageFeed."""
        return not self._first and (not self._live or self._worker.draining)

    def set_capacity(self, pages: int) -> None:
        """See PageFeed. Becomes the worker's credit, with those that wait in this process."""
        if self._live:
            self._worker.set_credit(pages + self._prefetch)

    def begin_rest(self) -> None:
        """Take what the engine left of its batch, so that it can be answered for."""
        while self._first:
            self.take()

    def _begin(self, delivery: Delivery) -> PageInput:
        task = delivery.message
        assert isinstance(task, Task)
        header = task.header
        page = PageInput(
            key=task.key,
            media_type=str(header.get("media_type", "")),
            data=delivery.payload[0] if delivery.payload else b"",
            width=int(header.get("width", 0)),
            height=int(header.get("height", 0)),
            dpi=float(header.get("dpi", 0.0)),
            page=int(header.get("page", 1)),
            options=dict(header.get("options", {})),
        )
        self.open[task.key] = Begun(task, page, time.perf_counter())
        self._worker.begin(task)
        return page
