"""What a worker needs of its connection to the broker, whatever that is made of."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Receive = Callable[[Sequence[Any]], None]
Beat = Callable[[bool], None]


class Line(Protocol):
    """`bus.link.Link` on sockets, or the line of `bus.memory.MemoryBus`."""

    def start(self, receive: Receive, beat: Beat) -> None:
        """Serve: `receive` gets the frames of each message, `beat` is called each second.

        Its argument is False while frames wait to be sent: old news would only pile up.
        """

    def send(self, frames: Sequence[Any]) -> None:
        """Send, now or as soon as the broker is there, in the order of the calls. Never blocks."""

    def wait_sent(self, timeout_seconds: float) -> None:
        """Wait until nothing is left to send, but no longer than that."""

    def wake(self) -> None:
        """Let the serving thread call `beat` now. Safe in signal handlers."""

    def close(self) -> None:
        """Send what can be sent, and end."""


class Switchboard(Protocol):
    """What makes lines without sockets."""

    def line(self, role: str) -> Line:
        """A line of its own for one worker."""
