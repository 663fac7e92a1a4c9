"""A worker's side of the bus: an I/O thread with the socket, and calls for the working thread.

The same class serves split, every engine and collect. The I/O thread keeps heartbeats going while
the working thread computes; `progress` tells whether it really does.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

import psutil
import zmq

from bus.codec import Payload, check_payload, decode, encode
from bus.delivery import Delivery, OpenAnswer
from bus.dial import Dial
from bus.sockets import make_socket
from bus.wakeup import Wakeup
from shared.errors import ProtocolError
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
MAX_UNCOMMITTED = 64  # answers kept before the working thread has to wait
KILLED_EXIT_CODE = 70  # EX_SOFTWARE: the broker called this process hung


class Worker:
    """One process on the bus. `start`, then `take` / `begin` / `finish` from one thread."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        settings: Settings,
        *,
        role: str,
        service: str,
        credit: int,
        engine: str = "",
        capabilities: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._credit = credit
        self._role, self._service, self._engine = role, service, engine
        self._capabilities = dict(capabilities or {})
        self.name = f"{engine or role}-{os.getpid()}"
        self._socket = make_socket(context, zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, uuid.uuid4().bytes)
        # without a broker frames wait here, where they are counted, and not in the socket
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._dial = Dial(self._socket, settings.bus, settings, role)
        self._wakeup = Wakeup()
        self._changed = threading.Condition()
        self._inbox: deque[Delivery] = deque()
        self._running: OrderedDict[str, int] = OrderedDict()
        self._begun: set[str] = set()
        self._open: OrderedDict[str, OpenAnswer] = OrderedDict()
        self._outbox: deque[list[Any]] = deque()
        self._status: dict[str, Any] = {"state": "loading", "message": ""}
        self._progress = 0
        self._epoch = ""
        self._draining = False
        self._returned = False
        self._closing = False
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._serve, name="bus", daemon=True)

    # --- for the working thread ----------------------------------------------------------

    def start(self) -> None:
        """Say hello; the I/O thread runs from here on."""
        self._thread.start()

    @property
    def epoch(self) -> str:
        """The broker's epoch that knows this worker; "" before the first."""
        return self._epoch

    @property
    def draining(self) -> bool:
        """No more work will be taken."""
        return self._draining

    def set_status(self, **values: Any) -> None:
        """Change what heartbeats say: state (loading, ready, draining, blocked), message, ..."""
        with self._changed:
            self._status.update(values)
        self._say_heartbeat()

    def set_credit(self, tasks: int) -> None:
        """From now on the broker may have so many tasks out to this process."""
        if tasks != self._credit:
            self._credit = tasks
            self.set_status(credit=tasks)

    def progress(self) -> None:
        """Work has moved. Cheap enough for every step."""
        self._progress += 1

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Delivery]:
        """Up to `limit` deliveries; [] after the timeout or when draining and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._inbox or self._draining, timeout_seconds)
            taken = [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]
            for delivery in taken:
                if isinstance(delivery.message, Task):  # held, so that no audit takes it away
                    self._running.setdefault(delivery.message.key, delivery.message.lease)
            return taken

    def wait_drain(self, timeout_seconds: float) -> bool:
        """Wait until draining begins; True when it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._draining, timeout_seconds)

    def begin(self, task: Task) -> None:
        """This one runs now; from here on a crash is charged to it.

        Returns when the message, and the answers before it, have left for the broker: a page that
        kills this process at once must not have an earlier one charged. While the broker is away
        the work goes on without that.
        """
        with self._changed:
            self._begun.add(task.key)
        self._send(encode(Started(task.key, task.lease)))
        with self._changed:
            self._changed.wait_for(lambda: not self._outbox, BEGIN_SECONDS)

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
        with self._changed:
            self._changed.wait_for(lambda: len(self._open) < MAX_UNCOMMITTED or self._closing)
            self._open[key] = OpenAnswer(lease, frames, time.monotonic())
            self._running.pop(key, None)
            self._begun.discard(key)
            self._progress += 1
        self._send(frames)

    def done(self, key: str) -> None:
        """A task that needs no answer of its own has ended (split says SplitDone)."""
        with self._changed:
            self._running.pop(key, None)
            self._begun.discard(key)
            self._progress += 1

    def send(self, message: Message, payload: Payload = ()) -> None:
        """Send once. Never blocks; waits in the socket while the broker is away."""
        self._send(encode(message, payload))

    def drain(self) -> None:
        """Finish what runs, give back the rest, take no more. Safe in signal handlers."""
        self._draining = True
        self._wakeup.set()

    def leave(self, timeout_seconds: float) -> bool:
        """Wait until all answers are committed, say goodbye, close. True when none was left."""
        with self._changed:
            clean = self._changed.wait_for(lambda: not self._open, timeout_seconds)
        if clean:
            self._send(encode(Bye()))
        self._closing = True
        self._wakeup.set()
        self._thread.join()
        return clean

    # --- the I/O thread ------------------------------------------------------------------

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        beat_at = 0.0
        stuck = False
        while not self._closing or self._outbox:
            now = time.monotonic()
            if now >= beat_at:
                beat_at = now + self._settings.heartbeat_seconds
                self._dial.look()
                if not stuck:  # while the broker is away, old news would only pile up
                    self._beat()
                    self._resend(now - RESEND_SECONDS)
            wanted = zmq.POLLIN | (zmq.POLLOUT if stuck else 0)
            poller.modify(self._socket, wanted)
            poller.poll(max(1, int((beat_at - now) * 1000)))
            self._wakeup.clear()
            if self._draining and not self._returned:
                self._give_back()
            stuck = not self._flush()
            self._drain_socket()
            if self._closing and stuck:
                break  # the broker is away: what is not committed is tried again by others
        self._dial.close()
        self._socket.close(linger=200)  # milliseconds: enough for a last goodbye
        self._wakeup.close()
        with self._changed:
            self._changed.notify_all()

    def _send(self, frames: list[Any]) -> None:
        self._outbox.append(frames)
        if not self._closing:
            self._wakeup.set()

    def _flush(self) -> bool:
        while self._outbox:
            try:
                self._socket.send_multipart(self._outbox[0], zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return False
            self._outbox.popleft()
        with self._changed:
            self._changed.notify_all()
        return True

    def _drain_socket(self) -> None:
        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                message, digest = decode(frames[0].buffer, frames[1].buffer)
                payload = tuple(frames[2:])
                check_payload(digest, payload)
            except (ProtocolError, IndexError) as error:
                log.warning("A message was dropped: %s", error)
                continue
            self._receive(message, tuple(frame.buffer for frame in payload))

    def _receive(self, message: Message, payload: tuple[memoryview, ...]) -> None:
        if isinstance(message, (Task, Result)):
            self._deliver(Delivery(message, payload))
            if self._draining:
                self._give_back()
        elif isinstance(message, Committed):
            with self._changed:
                for key in message.keys:
                    self._open.pop(key, None)
                self._changed.notify_all()
        elif isinstance(message, Revoke):
            self._revoke(set(message.keys))
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

    def _deliver(self, delivery: Delivery) -> None:
        """Into the inbox, unless this process has the task, or its answer, already."""
        message = delivery.message
        with self._changed:
            answer = self._open.get(message.key) if isinstance(message, Task) else None
            if answer is None:
                if isinstance(message, Result) or not self._has(message.key):
                    self._inbox.append(delivery)
                    self._changed.notify_all()
                return
            answer.sent_at = time.monotonic()
        self._send(answer.frames)

    def _has(self, key: str) -> bool:
        return key in self._running or any(
            key == d.message.key for d in self._inbox if isinstance(d.message, Task)
        )

    def _beat(self) -> None:
        if self._epoch:
            self._say_heartbeat()
        else:
            self._say_hello()

    def _say_hello(self) -> None:
        with self._changed:
            held = [
                (d.message.key, d.message.lease, "waiting")
                for d in self._inbox
                if isinstance(d.message, Task)
            ]
            held += [
                (key, lease, "running" if key in self._begun else "waiting")
                for key, lease in self._running.items()
            ]
            held += [(key, answer.lease, "answered") for key, answer in self._open.items()]
            status = self._current_status()
        hello = Hello(
            worker=self.name,
            role=self._role,
            service=self._service,
            host=socket.gethostname(),
            pid=os.getpid(),
            credit=self._credit,
            held=tuple(held),
            engine=self._engine,
            capabilities=self._capabilities,
            status=status,
            slot=os.environ.get(SLOT_VARIABLE, ""),
        )
        self._send(encode(hello))

    def _say_heartbeat(self) -> None:
        if not self._epoch:
            return
        with self._changed:
            waiting = [d.message.key for d in self._inbox if isinstance(d.message, Task)]
            running = tuple(self._running)
            beat = Heartbeat(
                held=(*waiting, *running, *self._open),
                running=running,
                progress=self._progress,
                status=self._current_status(),
            )
        self._send(encode(beat))

    def _current_status(self) -> dict[str, Any]:
        status = {**self._status, "rss_bytes": self._process.memory_info().rss}
        if self._draining:
            status["state"] = "draining"
        return status

    def _resend(self, sent_before: float) -> None:
        with self._changed:
            late = [answer for answer in self._open.values() if answer.sent_at < sent_before]
            for answer in late:
                answer.sent_at = time.monotonic()
        for answer in late:
            self._send(answer.frames)

    def _give_back(self) -> None:
        self._returned = True
        with self._changed:
            keys = [d.message.key for d in self._inbox if isinstance(d.message, Task)]
            self._inbox = deque(d for d in self._inbox if isinstance(d.message, Result))
            self._changed.notify_all()
        if keys:
            self._send(encode(Returned(tuple(keys))))
        self._say_heartbeat()

    def _revoke(self, keys: set[str]) -> None:
        """Drop what is not begun, and say so: it frees the credit."""
        with self._changed:
            dropped = tuple(
                d.message.key
                for d in self._inbox
                if isinstance(d.message, Task) and d.message.key in keys
            )
            self._inbox = deque(d for d in self._inbox if d.message.key not in dropped)
        if dropped:
            self._send(encode(Returned(dropped)))
