"""The supervisor's line to the broker, served by a thread: a socket belongs to one thread."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

_POLL_SECONDS = 0.2  # how long an ending waits to be told; a lost connection tells it sooner

Ended = tuple[int, int | None, int | None]


class KillRequest(Protocol):
    """The broker asks for the end of a worker that hangs."""

    @property
    def pid(self) -> int:
        """Its process."""

    @property
    def reason(self) -> str:
        """A sentence for the log."""


class Link(Protocol):
    """What `bus.supervisor_link.SupervisorLink` offers."""

    def exited(self, pid: int, exit_code: int | None, signal: int | None) -> None:
        """Tell the broker that a child ended."""

    def poll(self, timeout_seconds: float) -> Sequence[KillRequest]:
        """Wait for requests of the broker."""

    def report(self, processes: Sequence[Mapping[str, Any]]) -> None:
        """What heartbeats say of the children from now on."""

    def close(self) -> None:
        """Close the socket."""


class BrokerLine:
    """Tells the broker of endings and hands its kill requests on; a context manager.

    `connect` makes the link, inside the thread that uses it. `on_kill(pid, reason)` is called in
    that thread, and so is `processes`, which describes the children for the broker's table.
    """

    def __init__(
        self,
        connect: Callable[[], Link],
        on_kill: Callable[[int, str], None],
        processes: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
    ) -> None:
        self._connect = connect
        self._on_kill = on_kill
        self._processes = processes
        self._endings: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="broker-line")

    def exited(self, pid: int, exit_code: int | None, signal: int | None) -> None:
        """Tell the broker that a child ended. Never blocks."""
        self._endings.put((pid, exit_code, signal))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _serve(self) -> None:
        link = self._connect()
        try:
            while not self._closing.is_set():
                while not self._endings.empty():
                    link.exited(*self._endings.get())
                link.report(self._processes())
                for request in link.poll(_POLL_SECONDS):
                    self._on_kill(request.pid, request.reason)
        finally:
            link.close()
