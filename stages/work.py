"""What every stage process shares: signals, and events about jobs."""

import logging
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from bus.worker import Worker
from shared.errors import OutsideFailed
from shared.messages import Publish
from shared.records import Job, PageTask

log = logging.getLogger(__name__)

# For answers still on their way, and threads at work, when a process stops. The supervisor kills
# what takes longer than its phase (DRAIN_SECONDS), and then nobody says goodbye.
LEAVE_SECONDS = 4.0
COLLECT_LEAVE_SECONDS = 1.5
BLOCKED_SECONDS = 1.0  # between two tries to write

# codes of errors of the store, and of a machine without memory or processes to spare, that
# somebody clears away while we wait: no document is at fault
PASSING = frozenset(
    {
        "disk_full",
        "disk_failed",
        "database_busy",
        "database_failed",
        "reader_not_started",
        "writer_not_started",
    }
)

T = TypeVar("T")


def drain_on_signals(worker: Worker) -> None:
    """SIGTERM and SIGINT finish what runs, give back the rest and take no more."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.drain())


class Blockade:
    """What a stage says of itself while the store or the machine fails it: it waits for what.

    A process that ended instead would only come back to the same disk, and say nothing.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._causes: dict[str, str] = {}
        self._lock = threading.Lock()

    def lifted(self, who: str, action: Callable[[], T]) -> T | None:
        """The result of an action, tried until it works; None when the process shall end.

        `who` tells the threads of one process apart. Errors that waiting does not mend are raised.
        """
        while True:
            try:
                result = action()
            except OutsideFailed as error:
                if error.code not in PASSING:
                    raise
                self._say(who, f"{error} The work goes on by itself then.")
                self._worker.progress()  # it waits, which is no hang
                if self._worker.wait_drain(BLOCKED_SECONDS):
                    return None
            else:
                self._say(who, "")
                return result

    def _say(self, who: str, cause: str) -> None:
        with self._lock:
            before = dict(self._causes)
            self._causes.pop(who, None)
            if cause:
                self._causes[who] = cause
            now = dict(self._causes)
        if before == now:
            return
        if now:
            log.error("blocked: %s", next(iter(now.values())))
            self._worker.set_status(state="blocked", message=next(iter(now.values())))
        else:
            log.warning("the work goes on")
            self._worker.set_status(state="ready", message="")


def publish_job(worker: Worker, job: Job, settled: list[PageTask] | None = None) -> None:
    """Tell everyone who watches how far the job is, and which pages have just settled."""
    shown = job.to_json()
    data: dict[str, Any] = {
        "state": shown["state"],
        "counts": shown["counts"],
        "failure": shown["failure"],
        "formats": shown["formats"],
        "pages": [task.to_json() for task in settled or ()],
    }
    worker.send(Publish(job.id, "job", job.revision, data))
