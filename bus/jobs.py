"""What the broker knows of jobs: how far each is split, and how many of its pages are here."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from shared.states import Lane

RESCAN_SECONDS = 3.0  # a split job without pages here should be closed long before
START: tuple[int, str] = (0, "")


class HasRoom(Protocol):
    """Whether the broker may hold more bytes."""

    def __call__(self, *, starving: bool) -> bool:
        """`starving`: for a job that has nothing here."""


@dataclass(slots=True)
class BrokerJob:
    """One open job. `cursor` is the last page that split has sent."""

    id: str
    lane: str
    cursor: tuple[int, str] = START
    splitting: bool = False
    finished: bool = False
    here: int = 0
    idle_since: float = 0.0

    def restart(self) -> None:
        """Let split look again from the first page: it sends only what is not settled."""
        self.cursor, self.finished = START, False


class JobBook:
    """The open jobs; those that may want more pages are kept apart, so that a look is cheap."""

    def __init__(self) -> None:
        self._jobs: dict[str, BrokerJob] = {}
        self._hungry: OrderedDict[str, None] = OrderedDict()
        self._idle: OrderedDict[str, None] = OrderedDict()

    def add(self, job: str, lane: str) -> bool:
        """A job has work. False when it was known."""
        if job in self._jobs:
            return False
        self._jobs[job] = BrokerJob(job, lane)
        self._hungry[job] = None
        return True

    def knows(self, job: str) -> bool:
        """Whether the job is open here."""
        return job in self._jobs

    def lane(self, job: str) -> str:
        """The job's lane; interactive for one that is not known yet."""
        known = self._jobs.get(job)
        return known.lane if known else Lane.INTERACTIVE.value

    def move(self, job: str, lane: str) -> None:
        """To another lane."""
        if job in self._jobs:
            self._jobs[job].lane = lane

    def entered(self, job: str) -> None:
        """A page of the job came here."""
        known = self._jobs.get(job)
        if known is not None:
            known.here += 1
            self._idle.pop(job, None)

    def left(self, job: str, now: float) -> None:
        """A page of the job is settled."""
        known = self._jobs.get(job)
        if known is not None:
            known.here -= 1
            self._settle(known, now)

    def rescan(self, job: str) -> None:
        """A page was lost here with its bytes: split reads the job again from the start."""
        known = self._jobs.get(job)
        if known is not None:
            known.here -= 1
            known.restart()
            self._hungry[job] = None

    def split_done(self, job: str, cursor: tuple[int, str], now: float, *, finished: bool) -> None:
        """A chunk is out."""
        known = self._jobs.get(job)
        if known is not None:
            known.splitting = False
            known.cursor, known.finished = cursor, finished
            self._settle(known, now)

    def _settle(self, job: BrokerJob, now: float) -> None:
        if not job.finished:
            self._hungry[job.id] = None
        elif job.here <= 0:
            job.idle_since = now
            self._idle[job.id] = None

    def close(self, job: str) -> None:
        """The job is final."""
        self._jobs.pop(job, None)
        self._hungry.pop(job, None)
        self._idle.pop(job, None)

    def hungry(self, window_pages: int, has_room: HasRoom) -> Iterator[BrokerJob]:
        """Jobs to give a split task now, each marked as splitting; in turn."""
        for job_id in list(self._hungry):
            job = self._jobs[job_id]
            if job.splitting or job.finished or job.here > window_pages // 2:
                del self._hungry[job_id]
                continue
            if not has_room(starving=job.here == 0):
                continue
            del self._hungry[job_id]
            job.splitting = True
            yield job

    def stale(self, now: float) -> Iterator[BrokerJob]:
        """Jobs all out and all settled that nobody closed: something was lost, look again."""
        for job_id in list(self._idle):
            job = self._jobs[job_id]
            if now - job.idle_since < RESCAN_SECONDS:
                return
            del self._idle[job_id]
            self._hungry[job_id] = None
            yield job

    def __len__(self) -> int:
        return len(self._jobs)
