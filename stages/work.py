"""What every stage process shares: signals, and events about jobs."""

import logging
import signal
from typing import Any

from bus.worker import Worker
from shared.messages import Publish
from shared.records import Job, PageTask

log = logging.getLogger(__name__)

LEAVE_SECONDS = 5.0  # for answers still on their way when a process stops


def drain_on_signals(worker: Worker) -> None:
    """SIGTERM and SIGINT finish what runs, give back the rest and take no more."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.drain())


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
