"""What the broker knows of jobs: how far each is split, and which may want more pages."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.states import Lane

RESCAN_SECONDS = 3.0  # a split job without pages here should be closed long before
START: tuple[int, str] = (0, "")

PageKey = tuple[int, str]  # page number, engine asked for


@dataclass(frozen=True, slots=True)
class Trials:
    """What a page has been through, kept while its bytes are read again."""

    attempts: int
    refusals: int
    crashes: int
    alone: bool = False
    tries: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True)
class BrokerJob:
    """One open job. `cursor` is the last page that split has sent.

    `again` asks for a new scan once the chunk under way is out; `services` are those that its
    pages have gone to. `reread` are pages that split reads once more out of turn, each with the
    engine that it has left and others that would not read it either, or (); `left` remembers those.
    """

    id: str
    lane: str
    cursor: tuple[int, str] = START
    splitting: bool = False
    finished: bool = False
    again: bool = False
    idle_since: float = 0.0
    services: set[str] = field(default_factory=set)
    trials: dict[str, Trials] = field(default_factory=dict)
    left: dict[PageKey, tuple[str, ...]] = field(default_factory=dict)
    reread: dict[PageKey, tuple[str, ...]] = field(default_factory=dict)

    def restart(self) -> None:
        """Let split look again from the first page: it sends only what is not settled."""
        self.cursor, self.finished = START, False
        self.again = self.splitting


class JobBook:
    """The open jobs; those that may want more pages are kept apart, so that a look is cheap."""

    def __init__(self, pages_here: Callable[[str], int]) -> None:
        self._pages_here = pages_here
        self._jobs: dict[str, BrokerJob] = {}
        self._hungry: OrderedDict[str, None] = OrderedDict()
        self._idle: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: str, lane: str) -> bool:
        """A job has work. False when it was known."""
        if job in self._jobs:
            return False
        self._jobs[job] = BrokerJob(job, lane)
        self._hungry[job] = None
        return True

    def get(self, job: str) -> BrokerJob | None:
        """The job, if it is open here."""
        return self._jobs.get(job)

    def lane(self, job: str) -> str:
        """The job's lane; interactive for one that is not known yet."""
        known = self._jobs.get(job)
        return known.lane if known else Lane.INTERACTIVE.value

    def move(self, job: str, lane: str) -> None:
        """To another lane."""
        if job in self._jobs:
            self._jobs[job].lane = lane

    def left(self, job: str, now: float) -> None:
        """A page of the job is settled."""
        known = self._jobs.get(job)
        if known is not None:
            self._settle(known, now)

    def rescan(self, job: str) -> None:
        """A page was lost here with its bytes: split reads the job again from the start."""
        known = self._jobs.get(job)
        if known is not None:
            known.restart()
            self._hungry[job] = None

    def reread(self, job: str, page: PageKey, left: tuple[str, ...] = ()) -> None:
        """A page here goes on to another attempt: split reads it again, out of turn."""
        known = self._jobs.get(job)
        if known is not None:
            known.reread[page] = left
            if left:
                known.left[page] = left
            self._hungry[job] = None

    def split_done(self, job: str, cursor: tuple[int, str], now: float, *, finished: bool) -> None:
        """A chunk is out."""
        known = self._jobs.get(job)
        if known is not None:
            known.splitting = False
            known.cursor, known.finished = cursor, finished
            if known.again:
                known.restart()
            self._settle(known, now)

    def close(self, job: str) -> None:
        """The job is final."""
        self._jobs.pop(job, None)
        self._hungry.pop(job, None)
        self._idle.pop(job, None)

    def hungry(self, window_pages: int) -> Iterator[BrokerJob]:
        """Jobs to give a split task now, each marked as splitting.

        Full jobs leave the list and come back when a page of theirs is settled, so that a look
        costs nothing however many are open.
        """
        while self._hungry:
            job = self._jobs[self._hungry.popitem(last=False)[0]]
            full = job.finished or self._pages_here(job.id) > window_pages // 2
            if job.splitting or (full and not job.reread):
                continue
            job.splitting = True
            yield job

    def stale(self, now: float) -> None:
        """Scan those again that are all out and all settled and that nobody closed."""
        while self._idle:
            job = self._jobs[next(iter(self._idle))]
            if now - job.idle_since < RESCAN_SECONDS:
                return
            del self._idle[job.id]
            if not self._pages_here(job.id):
                self.rescan(job.id)

    def _settle(self, job: BrokerJob, now: float) -> None:
        if not job.finished or job.reread:
            self._hungry[job.id] = None
        elif not self._pages_here(job.id):
            job.idle_since = now
            self._idle[job.id] = None
            self._idle.move_to_end(job.id)
