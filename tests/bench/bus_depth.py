"""The broker's memory when far more waits than it may hold, and that all of it is worked off.

    .venv/bin/python -m tests.bench.bus_depth [--jobs 1000] [--pages 3] [--kib 300]

So many jobs at once and no engine: what the broker holds once split has nothing left to do. Then
two engine processes work all off. One line of JSON; resident MiB of the broker, before any job,
at most while nothing is read, and at most until the end.
"""

import argparse
import json
import os
import threading
import time

import psutil

from shared.messages import Task
from shared.records import Job
from tests.fakes.rate_system import ENGINE, RateSystem, rate_system

MIB = 2**20
QUIET_SECONDS = 3.0  # without a task for split: the broker has all that it wants


class Peak:
    """Looks at a process's memory all the time."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self.bytes = self.now()
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> int:
        """Resident bytes."""
        return int(self._process.memory_info().rss)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.bytes = max(self.bytes, self.now())

    def stop(self) -> int:
        """No more looks; the most that was seen, in MiB."""
        self._ended.set()
        return self.bytes // MIB


def serve(system: RateSystem, jobs: dict[str, Job], payload: bytes, seconds: float) -> int:
    """Play split until no task comes for so long, or all is settled; how many pages were sent."""
    sent = 0
    while deliveries := system.feeder.take(1, timeout_seconds=seconds):
        task = deliveries[0].message
        assert isinstance(task, Task)
        sent += send_chunk(system, jobs[task.job], task, payload)
        while system.event(0.0) is not None:  # nobody else reads them
            continue
    return sent


def send_chunk(system: RateSystem, job: Job, task: Task, payload: bytes) -> int:
    """One split task: pages out of turn, or the next ones."""
    again = [(int(number), ENGINE) for number, _, _ in task.header.get("again", ())]
    cursor, limit = task.header["cursor"], int(task.header["limit"])
    last = int(cursor[0])
    if again:
        found = system.store.still_pending(job.id, again)
        finished = bool(task.header["finished"])
    else:
        found = system.store.pending(job.id, after=(last, str(cursor[1])), limit=limit)
        finished = len(found) < limit
        last = found[-1].page if found else last
    pages = [page.page for page in found]
    for number in pages:
        system.page(job.id, number, payload)
    system.done(task, last, finished=finished)
    return len(pages)


def measure(jobs_open: int, pages: int, kib: int) -> None:
    """Fill, look, work off."""
    payload = os.urandom(kib * 1024)
    with rate_system(workers=0, window_pages=16, split_chunk_pages=4) as system:
        system.table(30.0)
        peak = Peak(system.processes["broker"].pid)
        before = peak.now() // MIB
        jobs = {job.id: job for job in (system.job(pages) for _ in range(jobs_open))}
        for job in jobs.values():
            system.submit(job)
        sent = serve(system, jobs, payload, QUIET_SECONDS)
        waiting = peak.bytes // MIB
        held = system.table().queues[f"recognize.{ENGINE}"]
        began = time.monotonic()
        for number in range(2):
            system.start(f"rate-{number}", "engine", ENGINE)
        while any(system.store.job(job).counts.done < pages for job in jobs):
            sent += serve(system, jobs, payload, 1.0)
        print(
            json.dumps(
                {
                    "what": "depth",
                    "jobs": jobs_open,
                    "pages": jobs_open * pages,
                    "kib": kib,
                    "broker_mib_before": before,
                    "broker_mib_waiting": waiting,
                    "payload_mib_waiting": held["bytes"] // MIB,
                    "broker_mib_most": peak.stop(),
                    "pages_sent": sent,
                    "put_off": system.table().counters.get("pages_put_off", 0),
                    "worked_off_s": round(time.monotonic() - began, 1),
                }
            )
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--kib", type=int, default=300)
    asked = parser.parse_args()
    measure(asked.jobs, asked.pages, asked.kib)
