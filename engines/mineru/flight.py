"""Pages that MinerU has in hand, each a task on an event loop in a thread of its own."""

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable

from shared.ocr_backend import Answer, PageInput

Read = Callable[[PageInput], Awaitable[Answer]]


class Flight:
    """Starts pages and hands back their answers. For one thread.

    `seconds_of` says how long a page may take before it no longer counts as moving.
    """

    def __init__(self, read: Read, seconds_of: Callable[[PageInput], float]) -> None:
        self._read = read
        self._seconds_of = seconds_of
        self._done: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        self._due: dict[str, float] = {}
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mineru", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._due)

    @property
    def moves(self) -> bool:
        """Whether every page is within its time."""
        return time.monotonic() < min(self._due.values(), default=float("inf"))

    def start(self, page: PageInput) -> None:
        """Give the page to MinerU."""
        self._due[page.key] = time.monotonic() + self._seconds_of(page)
        self._loop.call_soon_threadsafe(self._begin, page)

    def finished(self, timeout_seconds: float) -> list[tuple[str, Answer]]:
        """The answers that are there; waits so long for the first."""
        found: list[tuple[str, Answer]] = []
        wait = timeout_seconds
        while True:
            try:
                found.append(self._done.get(wait > 0, wait or None))
            except queue.Empty:
                break
            wait = 0.0
        for key, _ in found:
            del self._due[key]
        return found

    def close(self) -> None:
        """Cancel what runs and end the thread."""
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin(self, page: PageInput) -> None:
        task = self._loop.create_task(self._run(page))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, page: PageInput) -> None:
        self._done.put((page.key, await self._read(page)))

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_default_executor()
