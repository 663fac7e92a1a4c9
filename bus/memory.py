"""The bus in one process, without sockets: the same decisions, codec, workers and client.

It passes the same contract tests as the broker. Use it to try a stage, or to learn what the bus
does, where nothing has to survive the process.
"""

import asyncio
import queue
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import zmq

from bus.client import BusClient
from bus.codec import decode, encode, encode_relayed
from bus.core import Broadcast, Command, Core
from bus.line import Beat, Receive
from bus.table import make_table
from shared.errors import ProtocolError
from shared.messages import Bye, Message
from shared.settings import Settings

_CLOSE = "close"


class MemoryLine:
    """A worker's line: what it says goes into the queue of the bus, whose thread answers."""

    def __init__(self, bus: "MemoryBus") -> None:
        self.id = uuid.uuid4().bytes
        self.beat_at = 0.0
        self.receive: Receive | None = None
        self.beat: Beat | None = None
        self._bus = bus

    def start(self, receive: Receive, beat: Beat) -> None:
        """See Line."""
        self.receive, self.beat = receive, beat
        self._bus.connect(self)

    def send(self, frames: Sequence[Any]) -> None:
        """See Line."""
        self._bus.post(self.id, frames)

    def wait_sent(self, timeout_seconds: float) -> None:
        """See Line. Nothing ever waits."""

    def wake(self) -> None:
        """See Line."""
        self.beat_at = 0.0
        self._bus.post(self.id, ())

    def close(self) -> None:
        """See Line."""
        self._bus.disconnect(self)


class MemoryBus:
    """One broker, and all who are connected to it. `restart` is its kill -9."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.core = _new_core(settings)
        self._events: queue.SimpleQueue[tuple[str, bytes, Sequence[Any]]] = queue.SimpleQueue()
        self._lines: dict[bytes, MemoryLine] = {}
        self._watchers: list[MemoryClient] = []
        self._table_at = 0.0
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name="memory-bus", daemon=True)
        self._thread.start()

    def line(self, role: str) -> MemoryLine:
        """A line for one worker; its role needs no key here."""
        del role
        return MemoryLine(self)

    def client(self) -> "MemoryClient":
        """Rings and watches, as the web front does."""
        return MemoryClient(self)

    def restart(self) -> None:
        """A new broker that knows nothing; returns when it serves."""
        served = threading.Event()
        self._events.put(("restart", b"", (served,)))
        served.wait()

    def close(self) -> None:
        """End."""
        self._events.put((_CLOSE, b"", ()))
        self._thread.join()

    # --- what lines and clients do, on any thread --------------------------------------------

    def connect(self, line: MemoryLine) -> None:
        """The line is served from now on."""
        self._events.put(("connect", line.id, (line,)))

    def disconnect(self, line: MemoryLine) -> None:
        """The line's process is gone."""
        self._events.put(("disconnect", line.id, ()))

    def post(self, peer: bytes, frames: Sequence[Any]) -> None:
        """A message for the broker; without frames only a look at who is due a beat."""
        self._events.put(("message", peer, frames))

    def watch(self, client: "MemoryClient") -> None:
        """The client hears events from now on."""
        self._events.put(("watch", b"", (client,)))

    # --- the one thread ------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            beats = [line.beat_at for line in self._lines.values()]
            due = min([self.core.next_deadline(), self._table_at, *beats])
            try:
                event = self._events.get(timeout=max(0.0, min(1.0, due - time.monotonic())))
            except queue.Empty:
                event = None
            if event is not None:
                if event[0] == _CLOSE:
                    return
                self._handle(*event)
            self._look(time.monotonic())

    def _handle(self, what: str, peer: bytes, content: Sequence[Any]) -> None:
        now = time.monotonic()
        if what == "message":
            if content:
                self._take(peer, content, now)
        elif what == "connect":
            self._lines[peer] = content[0]
        elif what == "disconnect":
            self._lines.pop(peer, None)
            self._do(self.core.disconnected(peer, now))
        elif what == "watch":
            self._watchers.append(content[0])
        else:
            self.core = _new_core(self.settings)
            content[0].set()

    def _look(self, now: float) -> None:
        if now >= self.core.next_deadline():
            self._do(self.core.tick(now))
        for line in list(self._lines.values()):
            if now >= line.beat_at and line.beat is not None:
                line.beat_at = now + self.settings.heartbeat_seconds
                line.beat(True)
        if now >= self._table_at:
            self._table_at = now + self.settings.heartbeat_seconds
            self._publish(make_table(self.core, self._started, now))

    def _take(self, peer: bytes, frames: Sequence[Any], now: float) -> None:
        try:
            message, digest = decode(frames[0], frames[1])
            self._do(self.core.receive(peer, message, tuple(frames[2:]), digest, now))
        except (ProtocolError, ValueError) as error:
            self.core.counters[f"protocol_{getattr(error, 'code', 'bad_key')}"] += 1
            return
        if isinstance(message, Bye):
            self._lines.pop(peer, None)

    def _do(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Broadcast):
                self._publish(command.message)
                continue
            line = self._lines.get(command.peer)
            if line is not None and line.receive is not None:
                frames = encode_relayed(command.message, command.digest, command.payload)
                line.receive([zmq.Frame(bytes(getattr(f, "buffer", f))) for f in frames])

    def _publish(self, message: Message) -> None:
        frames = [b"", *encode(message)]
        for client in self._watchers:
            client.hear(frames)


class MemoryClient(BusClient):
    """`bus.client.BusClient` on a bus in memory."""

    def __init__(self, bus: MemoryBus) -> None:
        super().__init__(None, bus.settings)
        self._bus = bus
        self._id = uuid.uuid4().bytes

    async def start(self) -> None:
        """See BusClient."""
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[list[Any] | None] = asyncio.Queue()
        self._bus.watch(self)

    async def close(self) -> None:
        """See BusClient."""
        self._heard.put_nowait(None)

    def hear(self, frames: list[Any]) -> None:
        """An event; on the bus's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._heard.put_nowait, frames)

    async def _next_event(self) -> list[Any] | None:
        return await self._heard.get()

    def _ring(self, message: Message) -> None:
        self._bus.post(self._id, encode(message))


def _new_core(settings: Settings) -> Core:
    core = Core(settings, uuid.uuid4().hex)
    core.set_time_of_day(time.time(), time.monotonic())
    return core
