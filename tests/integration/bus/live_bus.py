"""A broker in a process of its own, workers in this one, and calls that wait for work."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable

import zmq

from bus.worker import Delivery, Worker
from shared.messages import Result, Task
from shared.settings import Settings

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
        self.broker: subprocess.Popen[bytes] | None = None
        self.workers: list[Worker] = []

    def start_broker(self) -> None:
        self.broker = subprocess.Popen(
            [sys.executable, "-c", START, self.settings.bus, self.settings.bus_events]
        )

    def kill_broker(self) -> None:
        assert self.broker is not None
        self.broker.kill()
        self.broker.wait()

    def worker(self, role: str, credit: int = 1) -> Worker:
        service = "recognize.fake" if role == "engine" else role
        engine = "fake" if role == "engine" else ""
        worker = Worker(
            self.context, self.settings, role=role, service=service, credit=credit, engine=engine
        )
        worker.set_status(state="ready")
        worker.start()
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            if not worker._left:
                worker.leave(0.2)
        if self.broker is not None:
            self.broker.terminate()
            assert self.broker.wait(5) is not None
        self.context.term()


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
