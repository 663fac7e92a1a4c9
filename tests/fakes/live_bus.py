"""A broker, in a process of its own or in memory; workers in this process; calls that wait."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any

import zmq
import zmq.asyncio

from bus.client import BusClient
from bus.memory import MemoryBus
from bus.worker import Delivery, Worker
from shared.messages import Committed, PageReady, Result, SplitDone, Submit, Task, page_key
from shared.settings import Settings

ENGINE = "recognize.fake"

START = (
    "import sys; from bus.broker import serve; from shared.settings import Settings; "
    "serve(Settings(bus=sys.argv[1], bus_events=sys.argv[2]))"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Bus:
    """One bus address, its broker process, and everyone who was connected to it."""

    def __init__(self) -> None:
        ports = free_port(), free_port()
        self.settings = Settings(
            bus=f"tcp://127.0.0.1:{ports[0]}", bus_events=f"tcp://127.0.0.1:{ports[1]}"
        )
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.client_context: zmq.asyncio.Context | None = None
        self.broker: subprocess.Popen[bytes] | None = None
        self.broker_log: IO[bytes] | None = None  # where it complains; else as we do
        self.workers: list[Worker] = []

    def start_broker(self) -> None:
        self.broker = subprocess.Popen(
            [sys.executable, "-c", START, self.settings.bus, self.settings.bus_events],
            stderr=self.broker_log,
        )

    def kill_broker(self) -> None:
        assert self.broker is not None
        self.broker.kill()
        self.broker.wait()

    def restart_broker(self) -> None:
        self.kill_broker()
        self.start_broker()

    def worker(self, role: str, credit: int = 1) -> Worker:
        service = ENGINE if role == "engine" else role
        engine = "fake" if role == "engine" else ""
        worker = Worker(
            self.door(), self.settings, role=role, service=service, credit=credit, engine=engine
        )
        worker.set_status(state="ready")
        worker.start()
        self.workers.append(worker)
        return worker

    def door(self) -> Any:
        """What workers are made with."""
        return self.context

    def client(self) -> BusClient:
        self.client_context = zmq.asyncio.Context()
        return BusClient(self.client_context, self.settings)

    def lose(self, worker: Worker) -> None:
        """The worker is gone without a word."""
        worker._left = True
        worker._link.close()

    def close(self) -> None:
        for worker in self.workers:
            if not worker._left:
                worker.leave(0.2)
        if self.broker is not None:
            self.broker.terminate()
            assert self.broker.wait(5) is not None
        self.context.term()
        if self.client_context is not None:
            self.client_context.destroy(linger=0)


class BusInMemory(Bus):
    """The same on the twin."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: MemoryBus | None = None

    def start_broker(self) -> None:
        self.memory = MemoryBus(self.settings)

    def restart_broker(self) -> None:
        assert self.memory is not None
        self.memory.restart()

    def door(self) -> Any:
        return self.memory

    def client(self) -> BusClient:
        assert self.memory is not None
        return self.memory.client()

    def close(self) -> None:
        super().close()
        assert self.memory is not None
        self.memory.close()


def feed(worker: Worker, job: str, pages: list[int], size: int = 10) -> None:
    """Play the split stage for one job: its next chunk has these pages, and no more follow."""
    worker.send(Submit(((job, "batch"),)))
    (task,) = take_tasks(worker, 1)
    for page in pages:
        key = page_key(job, page, "fake")
        worker.send(PageReady(key, job, ENGINE, {"page": page}), [bytes(size)])
    worker.send(SplitDone(task.key, task.lease, job, (pages[-1], "fake"), finished=True))
    worker.done(task.key)


def answer(worker: Worker, task: Task) -> None:
    """Begin and finish a page."""
    worker.begin(task)
    worker.finish(task.key, task.lease, "done", {}, [b"answer of " + task.key.encode()])


def commit(collect: Worker, results: list[Result]) -> None:
    """Say that these are safe."""
    collect.send(Committed(tuple(result.key for result in results)))


def take_tasks(worker: Worker, count: int, seconds: float = 10.0) -> list[Task]:
    """So many tasks, or AssertionError."""
    return [d.message for d in take(worker, count, seconds) if isinstance(d.message, Task)]


def take(worker: Worker, count: int, seconds: float = 10.0) -> list[Delivery]:
    """So many deliveries, or AssertionError."""
    found: list[Delivery] = []
    until = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        found += worker.take(count - len(found), timeout_seconds=0.2)
    assert len(found) == count
    return found


def take_results(worker: Worker, count: int, seconds: float = 10.0) -> list[Result]:
    """So many results, or AssertionError."""
    return [d.message for d in take(worker, count, seconds) if isinstance(d.message, Result)]


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Until it holds, or AssertionError; for state that only a process of others changes."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
