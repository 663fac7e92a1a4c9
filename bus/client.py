"""The bus for those who only ring and watch: the web front and the command line (asyncio)."""

import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import fields
from typing import Any

import zmq
import zmq.asyncio

from bus.codec import decode, encode
from bus.dial import Dial
from bus.sockets import make_socket
from shared.errors import ProtocolError
from shared.events import JobEvent
from shared.health import BusTable, WorkerStatus
from shared.messages import Cancel, Closed, Message, Priority, Publish, Submit, Table
from shared.records import Job
from shared.settings import Settings
from shared.states import Lane

log = logging.getLogger(__name__)

ROLE = "web"  # whose key it shows
_ROW_FIELDS = frozenset(item.name for item in fields(WorkerStatus))
LOOK_MILLISECONDS = 1000  # between looks whether the broker refuses us


class BusClient:
    """Rings the broker's doorbell and follows its events."""

    def __init__(self, context: zmq.asyncio.Context | None, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._door: Any = None
        self._events: Any = None
        self._dials: list[Dial] = []
        self._table_at = float("-inf")
        self._anew_at = float("-inf")
        self.table: BusTable | None = None

    async def start(self) -> None:
        """Connect. The broker need not be there yet. Misconfigured: see `bus.dial.Dial`."""
        assert self._context is not None
        plain: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(self._context.underlying)
        door, events = make_socket(plain, zmq.DEALER), make_socket(plain, zmq.SUB)
        self._door, self._events = door, zmq.asyncio.Socket(events)
        events.setsockopt(zmq.SUBSCRIBE, b"")
        settings = self._settings
        for socket, address in ((door, settings.bus), (events, settings.bus_events)):
            self._dials.append(Dial(socket, address, settings, ROLE))

    async def close(self) -> None:
        """Close the sockets; a `watch` under way ends."""
        for dial in self._dials:
            dial.close()
        self._dials.clear()
        for socket in (self._door, self._events):
            if socket is not None:
                socket.close(linger=100)  # milliseconds: a last doorbell may still leave

    async def submit(self, job: Job) -> None:
        """Say that a job waits. Lost doorbells are made good by collect."""
        self._ring(Submit(((job.id, job.lane.value),)))

    async def cancel(self, job_id: str) -> None:
        """Say that nothing of the job is wanted any more."""
        self._ring(Cancel(job_id))

    async def closed(self, job_id: str) -> None:
        """Say that the job is gone."""
        self._ring(Closed((job_id,)))

    async def set_priority(self, job_id: str, lane: Lane) -> None:
        """Move a job to another lane."""
        self._ring(Priority(job_id, lane.value))

    def table_age_seconds(self) -> float:
        """Time since the broker's newest table; infinite before the first."""
        return time.monotonic() - self._table_at

    def anew_seconds(self) -> float:
        """Time since another broker took over from the one before; infinite when none has."""
        return time.monotonic() - self._anew_at

    async def watch(self) -> AsyncIterator[JobEvent | BusTable]:
        """Every event of the bus from now on. Run once; `table` is kept by it."""
        while (frames := await self._next_event()) is not None:
            try:
                message, _ = decode(frames[1], frames[2])
                table = _read_table(message) if isinstance(message, Table) else None
            except (ProtocolError, IndexError) as error:
                log.warning("An event was dropped: %s", error)
                continue
            if table is not None:
                before, self.table = self.table, table
                self._table_at = time.monotonic()
                if before is not None and before.epoch != table.epoch:
                    self._anew_at = self._table_at
                yield table
            elif isinstance(message, Publish):
                yield JobEvent(message.job, message.event, message.revision, message.data)

    async def _next_event(self) -> list[Any] | None:
        """Topic and frames; None when the sockets are closed."""
        while True:
            for dial in self._dials:
                dial.look()
            try:
                if await self._events.poll(LOOK_MILLISECONDS):
                    frames: list[Any] = await self._events.recv_multipart()
                    return frames
            except zmq.ZMQError:
                return None

    def _ring(self, message: Message) -> None:
        try:
            self._door.send_multipart(encode(message), zmq.NOBLOCK)
        except zmq.Again:
            log.warning("The broker is away; %s is made good later.", type(message).__name__)


def _read_table(table: Table) -> BusTable:
    """ProtocolError when a row is none of ours. What a newer broker says beside it is left out."""
    try:
        workers = tuple(_read_row(row) for row in table.workers)
    except TypeError as error:
        raise ProtocolError(f"Table: {error}", code="bad_header") from error
    return BusTable(
        epoch=table.epoch,
        time=table.time,
        uptime_seconds=table.uptime_seconds,
        workers=workers,
        queues=table.queues,
        counters=table.counters,
    )


def _read_row(row: Mapping[str, Any]) -> WorkerStatus:
    known = {name: value for name, value in row.items() if name in _ROW_FIELDS}
    return WorkerStatus(**{**known, "running": tuple(known.get("running", ()))})
