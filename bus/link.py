"""One DEALER socket: sent to by any thread, read and kept alive by a thread of its own.

A socket of libzmq is not safe for threads, but for threads that take turns: one lock is around
each use. The serving thread waits on the socket's descriptor and on a wake-up, not on the socket,
so that a working thread can send at once: two changes of threads fewer for each message.
"""

import logging
import select
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from typing import Any

import zmq

from bus.dial import Dial
from bus.line import Beat, Receive
from bus.sockets import make_socket, receive_frames, send_frames
from bus.wakeup import Wakeup
from shared.settings import Settings

log = logging.getLogger(__name__)

CLOSE_LINGER_MS = 200  # enough for a last goodbye


class Link:
    """The line of one process to the broker."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], settings: Settings, role: str
    ) -> None:
        """Connect. Misconfigured: a key is missing or cannot be read."""
        self._beat_seconds = settings.heartbeat_seconds
        self._socket = make_socket(context, zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, uuid.uuid4().bytes)
        # without a broker frames wait here, where they are counted, and not in the socket
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._dial = Dial(self._socket, settings.bus, settings, role)
        self._turn = threading.Lock()
        self._outbox: deque[Sequence[Any]] = deque()
        self._flushed = threading.Condition()
        self._wakeup = Wakeup()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="bus", daemon=True)

    def start(self, receive: Receive, beat: Beat) -> None:
        """See Line."""
        self._receive, self._beat = receive, beat
        self._thread.start()

    def send(self, frames: Sequence[Any]) -> None:
        """See Line."""
        with self._turn:
            self._outbox.append(frames)
            self._flush()
            heard = self._hears()
        if heard or self._outbox:  # sending may have taken the descriptor's signal
            self._wakeup.set()

    def wait_sent(self, timeout_seconds: float) -> None:
        """See Line."""
        if self._outbox:
            with self._flushed:
                self._flushed.wait_for(lambda: not self._outbox, timeout_seconds)

    def wake(self) -> None:
        """See Line."""
        self._beat_at = 0.0
        self._wakeup.set()

    def close(self) -> None:
        """See Line."""
        self._closing = True
        self._wakeup.set()
        if self._thread.ident is not None:
            self._thread.join()
        else:
            self._end()

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(int(self._socket.getsockopt(zmq.FD)), select.POLLIN)
        poller.register(self._wakeup.fileno(), select.POLLIN)
        self._beat_at = 0.0
        while not self._closing:
            now = time.monotonic()
            if now >= self._beat_at:
                self._beat_at = now + self._beat_seconds
                with self._turn:
                    self._dial.look()
                self._beat(not self._outbox)
            poller.poll(max(0, 1000 * (self._beat_at - time.monotonic())))
            self._wakeup.clear()
            while self._work():
                continue
        self._end()

    def _work(self) -> bool:
        """Send what waits and read what is there. Whether there may be more to read."""
        with self._turn:
            self._flush()
            arrived = self._arrived()
        for frames in arrived:
            self._receive(frames)
        with self._turn:  # this look takes the descriptor's signal: what it shows must be read
            return self._hears()

    def _hears(self) -> bool:
        return bool(int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def _arrived(self) -> list[Sequence[Any]]:
        arrived: list[Sequence[Any]] = []
        while True:
            try:
                arrived.append(receive_frames(self._socket))
            except zmq.Again:
                return arrived

    def _flush(self) -> None:
        if not self._outbox:
            return
        while self._outbox:
            try:
                send_frames(self._socket, self._outbox[0])
            except zmq.Again:
                return
            self._outbox.popleft()
        with self._flushed:
            self._flushed.notify_all()

    def _end(self) -> None:
        with self._turn:
            self._flush()
            self._outbox.clear()  # the broker is away: what is not committed is tried by others
            self._dial.close()
            self._socket.close(linger=CLOSE_LINGER_MS)
        self._wakeup.close()
