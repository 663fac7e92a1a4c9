"""Documents that MinerU has in hand, each a task on an event loop in a thread of its own."""

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from engines.mineru.failures import MEMORY
from engines.mineru.reading import Reading
from shared.blocks import PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.ocr_backend import Answer

# Reads them as one document; what it gives is in their order. Raises PageFailed or OutsideFailed.
Read = Callable[[Sequence[Reading]], Awaitable[Sequence[PageOutput]]]


@dataclass(slots=True, eq=False)
class _Document:
    """`due` is when it no longer counts as moving (seconds of the monotonic clock)."""

    readings: Sequence[Reading]
    due: float


@dataclass(frozen=True, slots=True)
class Landing:
    """Pages that came back together, with their answers. `memory_ran_out` while they were read."""

    answers: tuple[tuple[str, Answer], ...]
    memory_ran_out: bool


class Flight:
    """Starts documents and hands back the answers for their pages. For one thread.

    When one of several pages fails, each of them is read again alone: so one bad page fails alone.
    Only when memory ran out none is, since there will be room for fewer of them.
    `seconds_of` says how long a document of so many pages may take.
    """

    def __init__(self, read: Read, seconds_of: Callable[[Sequence[Reading]], float]) -> None:
        self._read = read
        self._seconds_of = seconds_of
        self._done: queue.SimpleQueue[tuple[_Document, Landing]] = queue.SimpleQueue()
        self._open: dict[_Document, int] = {}  # with the number of its pages without an answer
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mineru", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Documents in hand."""
        return len(self._open)

    @property
    def pages(self) -> int:
        """Pages in hand."""
        return sum(self._open.values())

    @property
    def moves(self) -> bool:
        """Whether every document is within its time."""
        return time.monotonic() < min((one.due for one in self._open), default=float("inf"))

    def start(self, readings: Sequence[Reading]) -> None:
        """Give these pages to MinerU as one document."""
        document = _Document(readings, self._due(readings))
        self._open[document] = len(readings)
        self._loop.call_soon_threadsafe(self._begin, document)

    def finished(self, timeout_seconds: float) -> list[Landing]:
        """The answers that are there; waits so long for the first."""
        found: list[Landing] = []
        wait = timeout_seconds
        while True:
            try:
                document, landing = self._done.get(wait > 0, wait or None)
            except queue.Empty:
                return found
            wait = 0.0
            found.append(landing)
            self._open[document] -= len(landing.answers)
            if not self._open[document]:
                del self._open[document]

    def close(self) -> None:
        """Cancel what runs and end the thread."""
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _due(self, readings: Sequence[Reading]) -> float:
        return time.monotonic() + self._seconds_of(readings)

    def _begin(self, document: _Document) -> None:
        task = self._loop.create_task(self._run(document))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, document: _Document) -> None:
        readings = document.readings
        landing = await self._try(readings)
        failed = isinstance(landing.answers[0][1], (PageFailed, OutsideFailed))
        if len(readings) == 1 or not failed or landing.memory_ran_out:
            self._done.put((document, landing))
            return
        for reading in readings:
            document.due = self._due([reading])
            self._done.put((document, await self._try([reading])))

    async def _try(self, readings: Sequence[Reading]) -> Landing:
        keys = [reading.page.key for reading in readings]
        try:
            outputs = await self._read(readings)
        except (PageFailed, OutsideFailed) as failed:
            return Landing(tuple((key, failed) for key in keys), failed.code == MEMORY)
        return Landing(tuple(zip(keys, outputs, strict=True)), memory_ran_out=False)

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_default_executor()
