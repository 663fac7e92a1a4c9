"""A process on the bus: calls for its working thread, and what it does about messages.

The same class serves split, every engine and collect. A thread of the link keeps heartbeats going
while the working thread computes; `progress` tells whether it really does.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
import zmq

from bus.codec import Payload, check_payload, decode, encode
from bus.holdings import Delivery, Holdings
from bus.line import Line, Switchboard
from bus.link import Link
from shared.errors import ProtocolError
from shared.health import DRAINING
from shared.messages import (
    Bye,
    Committed,
    Heartbeat,
    Hello,
    Kill,
    Message,
    Pulse,
    Resend,
    Result,
    Returned,
    Revoke,
    Started,
    Task,
    Welcome,
    Who,
)
from shared.settings import SLOT_VARIABLE, Settings

log = logging.getLogger(__name__)

__all__ = ["Delivery", "Worker"]

RESEND_SECONDS = 2.0  # a commit takes milliseconds; later than this something was lost
BEGIN_SECONDS = 0.25  # sending takes microseconds; longer means that nobody reads
KILLED_EXIT_CODE = 70  # EX_SOFTWARE: the broker called this process hung


class Worker:
    """One process on the bus. `start`, then `take` / `begin` / `finish` from one thread."""

    def __init__(
        self,
        bus: "zmq.Context[zmq.Socket[bytes]] | Switchboard",
        settings: Settings,
        *,
        role: str,
        service: str,
        credit: int,
        engine: str = "",
        capabilities: Mapping[str, Any] | None = None,
    ) -> None:
        """Connect. Misconfigured: a key is missing or cannot be read."""
        self._role, self._service, self._engine, self._credit = role, service, engine, credit
        self._capabilities = dict(capabilities or {})
        self.name = f"{engine or role}-{os.getpid()}"
        self._link: Line = (
            Link(bus, settings, role) if isinstance(bus, zmq.Context) else bus.line(role)
        )
        self._holds = Holdings()
        self._status: dict[str, Any] = {"state": "loading", "message": ""}
        self._epoch = ""
        self._returned = self._left = False
        self._process = psutil.Process()

    # --- for the working thread ----------------------------------------------------------

    def start(self) -> None:
        """Say hello; the link's thread serves from here on."""
        self._link.start(self._arrived, self._beat)

    @property
    def epoch(self) -> str:
        """The broker's epoch that knows this worker; "" before the first."""
        return self._epoch

    @property
    def draining(self) -> bool:
        """No more work will be taken."""
        return self._holds.draining

    def set_status(self, **values: Any) -> None:
        """Change what heartbeats say: state (loading, ready, draining, blocked), message, ..."""
        self._status = {**self._status, **values}
        self._say_heartbeat()

    def set_credit(self, tasks: int) -> None:
        """From now on the broker may have so many tasks out to this process."""
        if tasks != self._credit:
            self._credit = tasks
            self.set_status(credit=tasks)

    def progress(self) -> None:
        """Work has moved. Cheap enough for every step."""
        self._holds.progress += 1

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Delivery]:
        """Up to `limit` deliveries; [] after the timeout or when draining and nothing is left."""
        return self._holds.take(limit, timeout_seconds)

    def wait_drain(self, timeout_seconds: float) -> bool:
        """Wait until draining begins; True when it has."""
        return self._holds.wait_drain(timeout_seconds)

    def begin(self, task: Task) -> None:
        """This one runs now; from here on a crash is charged to it.

        Returns when the message, and the answers before it, have left for the broker: a page that
        kills this process at once must not have an earlier one charged. While the broker is away
        the work goes on without that.
        """
        self._holds.begin(task.key)
        self._link.send(encode(Started(task.key, task.lease)))
        self._link.wait_sent(BEGIN_SECONDS)

    def finish(
        self,
        key: str,
        lease: int,
        outcome: str,
        header: Mapping[str, Any],
        payload: Payload = (),
    ) -> None:
        """Answer; kept and sent again until it is committed. Waits while too many are open."""
        frames = encode(Result(key, lease, outcome, header), payload)
        self._holds.finish(key, lease, frames)
        self._link.send(frames)

    def done(self, key: str) -> None:
        """A task that needs no answer of its own has ended (split says SplitDone)."""
        self._holds.done(key)

    def send(self, message: Message, payload: Payload = ()) -> None:
        """Send once. Never blocks; waits here while the broker is away."""
        self._link.send(encode(message, payload))

    def drain(self) -> None:
        """Finish what runs, give back the rest, take no more. Safe in signal handlers."""
        self._holds.draining = True
        self._link.wake()

    def leave(self, timeout_seconds: float) -> bool:
        """Wait until all answers are committed, say goodbye, close. True when none was left."""
        clean = self._holds.wait_committed(timeout_seconds)
        if clean and not self._left:
            self._link.send(encode(Bye()))
        self._left = True
        self._holds.close()
        self._link.close()
        return clean

    # --- the link's thread ---------------------------------------------------------------

    def _arrived(self, frames: Sequence[Any]) -> None:
        try:
            message, digest = decode(frames[0].buffer, frames[1].buffer)
            payload = tuple(frames[2:])
            check_payload(digest, payload)
        except (ProtocolError, IndexError) as error:
            log.warning("A message was dropped: %s", error)
            return
        self._receive(message, tuple(frame.buffer for frame in payload))

    def _receive(self, message: Message, payload: tuple[memoryview, ...]) -> None:
        if isinstance(message, (Task, Result)):
            answer = self._holds.deliver(Delivery(message, payload))
            if answer is not None:
                self._link.send(answer)
            elif self._holds.draining:
                self._return(self._holds.drop_waiting(lambda _key: True))
        elif isinstance(message, Committed):
            self._holds.commit(message.keys)
        elif isinstance(message, Revoke):
            self._return(self._holds.drop_waiting(set(message.keys).__contains__))
        elif isinstance(message, Welcome):
            self._epoch = message.epoch
            self._resend(time.monotonic())
        elif isinstance(message, Who) or (
            isinstance(message, Pulse) and message.epoch != self._epoch
        ):
            self._say_hello()
        elif isinstance(message, Resend):
            self._resend(time.monotonic())
        elif isinstance(message, Kill):
            log.error("The broker ends this process: %s", message.reason)
            os._exit(KILLED_EXIT_CODE)

    def _beat(self, is_sent: bool) -> None:  # noqa: FBT001  the one thing that a beat is told
        if self._holds.draining and not self._returned:
            self._returned = True
            self._return(self._holds.drop_waiting(lambda _key: True))
        if not is_sent:
            return
        if self._epoch:
            self._say_heartbeat()
        else:
            self._say_hello()
        self._resend(time.monotonic() - RESEND_SECONDS)

    def _say_hello(self) -> None:
        hello = Hello(
            worker=self.name,
            role=self._role,
            service=self._service,
            host=socket.gethostname(),
            pid=os.getpid(),
            credit=self._credit,
            held=self._holds.stages(),
            engine=self._engine,
            capabilities=self._capabilities,
            status=self._current_status(),
            slot=os.environ.get(SLOT_VARIABLE, ""),
        )
        self._link.send(encode(hello))

    def _say_heartbeat(self) -> None:
        if not self._epoch or self._left:
            return
        held, running = self._holds.keys()
        progress, status = self._holds.progress, self._current_status()
        self._link.send(encode(Heartbeat(held, running, progress, status)))

    def _current_status(self) -> dict[str, Any]:
        status = {**self._status, "rss_bytes": self._process.memory_info().rss}
        if self._holds.draining:
            status["state"] = "draining"
            status["message"] = status["message"] or DRAINING
        return status

    def _resend(self, sent_before: float) -> None:
        for frames in self._holds.late(sent_before):
            self._link.send(frames)

    def _return(self, keys: tuple[str, ...]) -> None:
        """What is not begun and not wanted; it frees the credit."""
        if keys:
            self._link.send(encode(Returned(keys)))
