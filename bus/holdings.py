"""What a worker has: tasks that wait, tasks that run, answers that are not committed.

Shared by the working thread and the thread that serves the bus; every method takes the one lock.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bus.limits import MAX_LARGE, MAX_SMALL, SMALL_BYTES
from shared.messages import Result, Task


@dataclass(frozen=True, slots=True)
class Delivery:
    """A task (or, for collect, a result) with its payload as memory views."""

    message: Task | Result
    payload: tuple[memoryview, ...]


@dataclass(slots=True)
class _Open:
    """An answer that is not committed yet."""

    lease: int
    frames: list[Any]
    sent_at: float

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(frame) for frame in self.frames)


class Holdings:
    """Tasks are known by their key. `draining` ends the wait for more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inbox: OrderedDict[tuple[str, int], Delivery] = OrderedDict()  # key and lease
        self._waiting: dict[str, int] = {}
        self._running: OrderedDict[str, int] = OrderedDict()
        self._begun: set[str] = set()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._open_bytes = 0
        self._closed = False
        self.draining = False
        self.progress = 0

    # --- the working thread ------------------------------------------------------------------

    def take(self, limit: int, timeout_seconds: float | None) -> list[Delivery]:
        """Up to `limit` deliveries; [] after the timeout or when draining and nothing is left."""
        with self._changed:
            if not self._inbox:
                self._changed.wait_for(lambda: self._inbox or self.draining, timeout_seconds)
            taken = [
                self._inbox.popitem(last=False)[1] for _ in range(min(limit, len(self._inbox)))
            ]
            for delivery in taken:
                message = delivery.message
                if isinstance(message, Task):  # held, so that no audit takes it away
                    self._waiting.pop(message.key, None)
                    self._running[message.key] = message.lease
            return taken

    def begin(self, key: str) -> None:
        """From here on it runs."""
        with self._changed:
            self._begun.add(key)

    def finish(self, key: str, lease: int, frames: list[Any]) -> None:
        """Keep its answer until it is committed. Waits while too many are kept."""
        with self._changed:
            if self._is_full():
                self._changed.wait_for(lambda: self._closed or not self._is_full())
            before = self._open.pop(key, None)
            self._open[key] = answer = _Open(lease, frames, time.monotonic())
            self._open_bytes += answer.size - (before.size if before else 0)
            self._end(key)

    def done(self, key: str) -> None:
        """It has ended without an answer of its own."""
        with self._changed:
            self._end(key)

    def wait_drain(self, timeout_seconds: float) -> bool:
        """Whether draining has begun, within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.draining, timeout_seconds)

    def wait_committed(self, timeout_seconds: float) -> bool:
        """Whether no answer is open any more, within that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout_seconds)

    # --- the thread that serves the bus ------------------------------------------------------

    def deliver(self, delivery: Delivery) -> list[Any] | None:
        """Into the inbox, unless the task, or its answer, is here already.

        An answer is given back, to be sent again. A result that nobody has taken yet is replaced
        by its repetition: while a commit takes long, each worker says all that it has again.
        """
        message = delivery.message
        with self._changed:
            if isinstance(message, Task):
                answer = self._open.get(message.key)
                if answer is not None:
                    answer.sent_at = time.monotonic()
                    return answer.frames
                if message.key in self._running or message.key in self._waiting:
                    return None
                self._waiting[message.key] = message.lease
            self._inbox[message.key, message.lease] = delivery
            self._changed.notify_all()
            return None

    def commit(self, keys: tuple[str, ...]) -> None:
        """These answers are safe."""
        with self._changed:
            for key in keys:
                answer = self._open.pop(key, None)
                self._open_bytes -= answer.size if answer else 0
            self._changed.notify_all()

    def drop_waiting(self, wanted: Callable[[str], bool]) -> tuple[str, ...]:
        """Forget the tasks that nobody has taken yet, of those wanted."""
        with self._changed:
            dropped = tuple(key for key in self._waiting if wanted(key))
            for key in dropped:
                del self._waiting[key]
            self._inbox = OrderedDict(
                (place, delivery)
                for place, delivery in self._inbox.items()
                if isinstance(delivery.message, Result) or place[0] in self._waiting
            )
            self._changed.notify_all()
            return dropped

    def late(self, sent_before: float) -> list[list[Any]]:
        """The answers sent before then and not committed; from now on they count as sent anew."""
        with self._changed:
            late = [answer for answer in self._open.values() if answer.sent_at < sent_before]
            for answer in late:
                answer.sent_at = time.monotonic()
            return [answer.frames for answer in late]

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stages(self) -> tuple[tuple[str, int, str], ...]:
        """All that is held, as Hello says it: key, lease, stage."""
        with self._changed:
            held = [(key, lease, "waiting") for key, lease in self._waiting.items()]
            for key, lease in self._running.items():
                held.append((key, lease, "running" if key in self._begun else "waiting"))
            held += [(key, answer.lease, "answered") for key, answer in self._open.items()]
            return tuple(held)

    def keys(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(all that is held, what of it runs), as Heartbeat says it."""
        with self._changed:
            running = tuple(self._running)
            return (*self._waiting, *running, *self._open), running

    def _is_full(self) -> bool:
        most = MAX_SMALL if self._open_bytes < SMALL_BYTES else MAX_LARGE
        return len(self._open) >= most

    def _end(self, key: str) -> None:
        self._running.pop(key, None)
        self._begun.discard(key)
        self.progress += 1
