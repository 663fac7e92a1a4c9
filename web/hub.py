"""Hands the events of the bus to those who watch a job.

Events may be missed (publish and subscribe forgets what nobody hears), so each watcher begins with
a snapshot from the store and takes a new one whenever it was too slow or its revision lags.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator, Mapping

from shared.events import JobEvent
from shared.health import BusTable
from shared.records import Job

_QUEUE_EVENTS = 256  # some seconds of a fast job; a slower reader is given a new snapshot instead

PageKey = tuple[int, str]  # page number from 1, engine asked for
Running = Mapping[PageKey, str]  # and the engine that works on it


class Watch:
    """One watcher's queue: bounded, overflow is told instead of kept."""

    def __init__(self, job: str) -> None:
        self.job = job
        self._events: deque[JobEvent] = deque()
        self._wake = asyncio.Event()
        self._overflow = False
        self._running_moved = False

    def put(self, event: JobEvent) -> None:
        """Add an event, or note that the watcher fell behind."""
        if len(self._events) >= _QUEUE_EVENTS:
            self._events.clear()
            self._overflow = True
        else:
            self._events.append(event)
        self._wake.set()

    def running_moved(self) -> None:
        """Note that the set of running pages is another now."""
        self._running_moved = True
        self._wake.set()

    def wake(self) -> None:
        """Let `wait` return, with nothing new."""
        self._wake.set()

    async def wait(self, seconds: float) -> bool:
        """True when something came within the time."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> tuple[list[JobEvent], bool, bool]:
        """What came since the last take: events, whether some were lost, whether running moved."""
        taken = list(self._events), self._overflow, self._running_moved
        self._events.clear()
        self._overflow = self._running_moved = False
        self._wake.clear()
        return taken


class Hub:
    """Watchers by job, and which pages run now as the newest table says."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}
        self._running: dict[str, Running] = {}

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return sum(len(watches) for watches in self._watches.values())

    @contextlib.contextmanager
    def watch(self, job: str) -> Iterator[Watch]:
        """A queue of the job's events from now on."""
        watch = Watch(job)
        self._watches.setdefault(job, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[job]
            watches.discard(watch)
            if not watches:
                del self._watches[job]

    def publish(self, event: JobEvent) -> None:
        """Give an event to those who watch its job."""
        for watch in self._watches.get(event.job, ()):
            watch.put(event)

    def job_changed(self, job: Job) -> None:
        """Tell of a change that this process made itself, without the way over the broker."""
        shown = job.to_json()
        data = {"state": shown["state"], "counts": shown["counts"]}
        self.publish(JobEvent(job.id, "job", job.revision, data))

    def update(self, table: BusTable) -> None:
        """Take the running pages from the newest table."""
        before, self._running = self._running, _running_pages(table)
        for job, watches in self._watches.items():
            if before.get(job) != self._running.get(job):
                for watch in watches:
                    watch.running_moved()

    def forget_running(self) -> None:
        """The broker is away: nobody knows what runs."""
        before, self._running = self._running, {}
        for job in before:
            for watch in self._watches.get(job, ()):
                watch.running_moved()

    def running(self, job: str) -> Running:
        """The pages of a job that engines work on now, as far as known, and which engines."""
        return self._running.get(job, {})

    def wake_all(self) -> None:
        """Let every watcher look around: the server is about to stop."""
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()


def page_key(key: str) -> tuple[str, PageKey] | None:
    """Read `job:page:engine`; None for keys of other work."""
    job, _, rest = key.partition(":")
    page, _, engine = rest.partition(":")
    return (job, (int(page), engine)) if page.isdecimal() and engine else None


def _running_pages(table: BusTable) -> dict[str, Running]:
    pages: dict[str, dict[PageKey, str]] = {}
    for worker in table.workers:
        if worker.role != "engine":
            continue
        for key in worker.running:
            if (known := page_key(key)) is not None:
                pages.setdefault(known[0], {})[known[1]] = worker.engine or known[1][1]
    return dict(pages)
