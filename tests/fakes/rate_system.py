"""Broker, collector and engine processes with a feeder in the place of split, for the bench."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from bus.codec import decode
from bus.sockets import make_socket
from bus.worker import Worker
from deploy.plan import settings_environment
from shared.messages import PageReady, Publish, SplitDone, Submit, Table, Task, page_key
from shared.records import Job, NewJob
from shared.settings import Settings, load_settings
from store import Store

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "rate"


@dataclass
class RateSystem:
    """The processes, the store, and a feeder that sends what bytes it likes as pages."""

    settings: Settings
    store: Store
    feeder: Worker
    events: Any
    environment: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *role: str) -> None:
        """Start one process under this name."""
        command = [sys.executable, "-P", "-m", "deploy", *role]
        environment = {**os.environ, **self.environment, "QUIRE_SLOT": name}
        self.processes[name] = subprocess.Popen(command, env=environment)

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()

    def job(self, pages: int, lane: str = "batch") -> Job:
        """A running job of so many pages; the bus does not know it yet."""
        sha256 = self.store.blobs.put(os.urandom(16))
        self.store.add_document(sha256, "application/pdf", 16)
        [job] = self.store.add_jobs([NewJob(sha256, "a.pdf", engine=ENGINE)])
        return self.store.start_job(job.id, pages, [(n, ENGINE) for n in range(1, pages + 1)])

    def submit(self, job: Job, lane: str = "batch") -> None:
        """Ring the doorbell."""
        self.feeder.send(Submit(((job.id, lane),)))

    def split_task(self, seconds: float = 30.0) -> Task:
        """The next chunk that the broker asks for."""
        [delivery] = self.feeder.take(1, timeout_seconds=seconds)
        assert isinstance(delivery.message, Task)
        return delivery.message

    def page(self, job: str, number: int, payload: bytes, nap: float = 0.0) -> None:
        """Send one page to the broker."""
        header = {"media_type": "application/pdf", "page": number, "options": {"nap": nap}}
        key = page_key(job, number, ENGINE)
        self.feeder.send(PageReady(key, job, f"recognize.{ENGINE}", header), [payload])

    def chunk(self, task: Task, pages: int, payload: bytes, nap: float = 0.0) -> None:
        """Do a split task of a job with so many pages."""
        first = int(task.header["cursor"][0]) + 1
        last = min(pages, first + int(task.header["limit"]) - 1)
        for number in range(first, last + 1):
            self.page(task.job, number, payload, nap)
        self.done(task, last, finished=last == pages)

    def done(self, task: Task, last: int, *, finished: bool) -> None:
        """The chunk is out."""
        cursor = (last, ENGINE)
        self.feeder.send(SplitDone(task.key, task.lease, task.job, cursor, finished=finished))
        self.feeder.done(task.key)

    def event(self, seconds: float) -> Publish | Table | None:
        """The next event of the bus, if one comes within that time."""
        if not self.events.poll(int(seconds * 1000)):
            return None
        frames = self.events.recv_multipart()
        message, _ = decode(frames[1], frames[2])
        assert isinstance(message, (Publish, Table))
        return message

    def table(self, seconds: float = 5.0) -> Table:
        """The broker's next table."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            event = self.event(seconds)
            if isinstance(event, Table):
                return event
        raise TimeoutError("no table")

    def until_engines(self, count: int, seconds: float = 30.0) -> None:
        """Until so many engine processes are ready."""
        ready = 0
        while ready != count:
            workers = self.table(seconds).workers
            ready = sum(w["role"] == "engine" and w["state"] == "ready" for w in workers)

    def until_done(self, job: Job, seconds: float = 120.0) -> None:
        """Until every page of the job is committed."""
        until = time.monotonic() + seconds
        while self.store.job(job.id).counts.done < (job.counts.total or 0):
            if time.monotonic() > until:
                raise TimeoutError(str(self.store.job(job.id).counts))
            self.event(0.05)


@contextlib.contextmanager
def rate_system(*, workers: int = 2, prefetch: int = 15, **flags: Any) -> Iterator[RateSystem]:
    """Start; nothing is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="quire-rate-") as folder:
        settings = load_settings(
            {
                "data": Path(folder) / "data",
                "bus": f"ipc://{folder}/bus",
                "bus_events": f"ipc://{folder}/events",
                "engine_classes": "rate=tests.fakes.rate_engine:RateEngine",
                "engines": "rate",
                "window_pages": 1024,
                "split_chunk_pages": 256,
                "engine_max_pages": 10_000_000,
                "log_level": "ERROR",
                **flags,
            },
            environ={},
        )
        environment = {
            **settings_environment(settings),
            "PYTHONPATH": str(ROOT),
            "QUIRE_TEST_PREFETCH": str(prefetch),
            "QUIRE_TEST_RUN_LOG": os.environ.get("QUIRE_TEST_RUN_LOG", ""),
        }
        store = Store.open(settings)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        feeder = Worker(context, settings, role="split", service="split", credit=1)
        feeder.set_status(state="ready")
        feeder.start()
        events = make_socket(context, zmq.SUB)
        events.setsockopt(zmq.SUBSCRIBE, b"")
        events.connect(settings.bus_events)
        system = RateSystem(settings, store, feeder, events, environment)
        system.start("broker", "broker")
        system.start("collect", "collect")
        for number in range(workers):
            system.start(f"rate-{number}", "engine", ENGINE)
        try:
            system.until_engines(workers)
            yield system
        finally:
            for process in system.processes.values():
                process.kill()
                process.wait()
            feeder.leave(0.0)
            events.close(linger=0)
            context.term()
            store.close()
