"""A bus with nobody behind it: what a worker says is kept, in order."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bus.codec import decode
from bus.worker import Worker
from shared.messages import Message
from shared.settings import Settings

Kind = TypeVar("Kind")


class RecordedLine:
    """A line, and the switchboard that makes it. `heard` sees each message before it is kept."""

    def __init__(self, heard: Callable[[Message], None] = lambda _message: None) -> None:
        self.said: list[tuple[Message, tuple[Any, ...]]] = []
        self._heard = heard

    def line(self, role: str) -> "RecordedLine":
        del role
        return self

    def worker(self, settings: Settings, role: str) -> Worker:
        return Worker(self, settings, role=role, service=role, credit=1)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every message of this kind."""
        return [message for message, _ in self.said if isinstance(message, kind)]

    def start(self, receive: object, beat: object) -> None:
        """Nobody ever answers."""

    def send(self, frames: Sequence[Any]) -> None:
        message, _ = decode(frames[0], frames[1])
        self._heard(message)
        self.said.append((message, tuple(frames[2:])))

    def wait_sent(self, timeout_seconds: float) -> None:
        """Nothing ever waits."""

    def wake(self) -> None:
        """Nobody sleeps."""

    def close(self) -> None:
        """Nothing is left to send."""
