"""The broker process: sockets around `bus.core`. One thread, one poll loop, no blocking sends."""

import logging
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Sequence

import zmq
from zmq.utils.monitor import recv_monitor_message

from bus.codec import decode, encode, encode_relayed
from bus.core import Broadcast, Command, Core, Send
from bus.door import BUS, EVENTS, FAILED, Door
from bus.sockets import check_bind, make_socket, receive_frames, send_frames
from bus.table import make_table
from bus.wakeup import Wakeup
from shared.errors import Misconfigured, ProtocolError
from shared.messages import Bye, Hello, Message
from shared.settings import Settings

log = logging.getLogger(__name__)

DRAIN_MESSAGES = 64  # per turn, so that heartbeats and timers get theirs under load
TABLE_TOPIC = b"table"


class Broker:
    """Owns the sockets; asks `Core` what to do."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], settings: Settings) -> None:
        """Bind. Misconfigured when an address is taken or can be reached from other hosts."""
        for address in (settings.bus, settings.bus_events):
            check_bind(address, keyed=bool(settings.bus_keys))  # before there is a socket to close
        self._settings = settings
        self._started = time.monotonic()
        self.core = Core(settings, epoch=uuid.uuid4().hex)
        self._door = Door(context, settings, self.core.counters)
        self._router = make_socket(context, zmq.ROUTER)
        self._events = make_socket(context, zmq.XPUB)
        self._door.guard(self._router, BUS)
        self._door.guard(self._events, EVENTS)
        self._monitor = self._router.get_monitor_socket(zmq.EVENT_DISCONNECTED | FAILED)
        self._wakeup = Wakeup()
        self._stopping = False
        self.core.set_time_of_day(time.time(), self._started)
        self._table_at = 0.0
        self._topics: set[bytes] = set()  # without any, an event need not even be encoded
        self._ended: list[bytes] = []  # connections that ended, not acted on yet
        self._peer_of: dict[int, bytes] = {}
        self._descriptor_of: dict[bytes, int] = {}
        self._key_of: dict[bytes, bytes] = {}
        for socket, address in ((self._router, settings.bus), (self._events, settings.bus_events)):
            try:
                if "[" in address:
                    socket.setsockopt(zmq.IPV6, 1)
                socket.bind(address)
            except zmq.ZMQError as error:
                self.close()
                raise Misconfigured(
                    f"The broker cannot listen on {address}: {error}. Is another quire running? "
                    "Set QUIRE_BUS and QUIRE_BUS_EVENTS to free addresses.",
                    param="bus",
                ) from error

    def stop(self) -> None:
        """End `run` soon. Safe from signal handlers and other threads."""
        self._stopping = True
        self._wakeup.set()

    def run(self) -> None:
        """Serve until `stop`."""
        poller = zmq.Poller()
        own = (self._router, self._events, self._monitor, self._wakeup.fileno())
        for readable in (*own, *self._door.sockets()):
            poller.register(readable, zmq.POLLIN)
        while not self._stopping:
            now = time.monotonic()
            until = min(self.core.next_deadline(), self._table_at)
            poller.poll(max(0, min(1000, int((until - now) * 1000) + 1)))
            self._door.drain()
            self._read_monitor()  # before the messages: a goodbye came before its connection's end
            if self._drain_router():
                self._do(self.core.flush(time.monotonic()))
            while self._ended:
                self._lost(self._ended.pop(0), self.core.disconnected)
            self._drain_subscriptions()
            now = time.monotonic()
            if now >= self.core.next_deadline():
                hangs = self.core.counters["hangs"]
                self._do(self.core.tick(now))
                if self.core.counters["hangs"] > hangs:
                    self._table_at = 0.0  # told at once: it is over in a moment
            if now >= self._table_at:
                self._table_at = now + self._settings.heartbeat_seconds
                self._show_out(self._door.refresh())
                self._publish_table(now)

    def close(self) -> None:
        """Close all sockets."""
        self._router.disable_monitor()
        self._events.disable_monitor()
        for socket in (self._router, self._events, self._monitor):
            socket.close(linger=0)
        self._door.close()
        self._wakeup.close()

    def _drain_router(self) -> int:
        """How many messages there were."""
        for number in range(DRAIN_MESSAGES):
            try:
                frames = receive_frames(self._router)
            except zmq.Again:
                return number
            now = time.monotonic()
            peer_id = frames[0].bytes
            try:
                message, digest = _decode(frames)
                public = self._door.check(frames[1], message)
                if isinstance(message, Hello):
                    self._read_monitor()  # the descriptor may be that of one who has just gone
                    if peer_id in self._ended:  # it was gone, and is back
                        self._ended.remove(peer_id)
                        self._lost(peer_id, self.core.disconnected)
                    descriptor = int(frames[1].get(zmq.SRCFD))
                    self._peer_of.pop(self._descriptor_of.get(peer_id, -1), None)
                    self._peer_of[descriptor] = peer_id
                    self._descriptor_of[peer_id] = descriptor
                    self._key_of[peer_id] = public
                    if peer_id not in self.core.peers:  # others say it again
                        log.info("%s is here (process %d)", message.worker, message.pid)
                elif isinstance(message, Bye):
                    self._peer_of.pop(self._descriptor_of.pop(peer_id, -1), None)
                    self._key_of.pop(peer_id, None)
                payload = tuple(frames[3:])
                self._do(self.core.receive(peer_id, message, payload, digest, now, more=True))
            except (ProtocolError, ValueError) as error:
                code = getattr(error, "code", "bad_key")
                self.core.counters[f"protocol_{code}"] += 1
                log.warning("A message was dropped: %s", error)
        return DRAIN_MESSAGES

    def _read_monitor(self) -> None:
        """Note whose connections have ended."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)
            if int(event["event"]) & FAILED:
                self._door.failed(event)
                continue
            peer_id = self._peer_of.pop(int(event["value"]), None)
            if peer_id is not None:
                self._descriptor_of.pop(peer_id, None)
                self._ended.append(peer_id)

    def _lost(self, peer_id: bytes, tell: Callable[[bytes, float], list[Command]]) -> None:
        self._key_of.pop(peer_id, None)
        peer = self.core.peers.get(peer_id)
        if peer is not None:
            log.warning("%s is lost (process %d)", peer.name, peer.hello.pid)
            self._table_at = 0.0  # whoever looks at health learns it now
        self._do(tell(peer_id, time.monotonic()))

    def _show_out(self, revoked: set[bytes]) -> None:
        """Processes whose key was revoked are lost at once: nothing more is sent to them."""
        for peer_id in [peer for peer, key in self._key_of.items() if key in revoked]:
            self._lost(peer_id, self.core.disconnected)

    def _drain_subscriptions(self) -> None:
        while self._events.poll(0):
            frame = self._events.recv(zmq.NOBLOCK)
            if frame[:1] == b"\x01":
                self._topics.add(frame[1:])
            else:
                self._topics.discard(frame[1:])

    def _do(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Broadcast):
                self._broadcast(command)
            else:
                self._send(command)

    def _broadcast(self, command: Broadcast) -> None:
        if not self._topics:
            return
        try:
            topic = b"job:" + command.message.job.encode()
            send_frames(self._events, [topic, *encode(command.message)])
        except zmq.Again:
            self.core.counters["events_dropped"] += 1

    def _send(self, command: Send) -> None:
        frames = encode_relayed(command.message, command.digest, command.payload)
        try:
            send_frames(self._router, [command.peer, *frames])
        except zmq.ZMQError as error:
            if error.errno not in {zmq.EHOSTUNREACH, zmq.EAGAIN}:
                raise
            if command.peer in self.core.peers:
                self._lost(command.peer, self.core.unreachable)

    def _publish_table(self, now: float) -> None:
        self.core.set_time_of_day(time.time(), now)
        table = make_table(self.core, self._started, now)
        try:
            send_frames(self._events, [TABLE_TOPIC, *encode(table)])
        except zmq.Again:
            return  # nobody reads as fast as we publish; the next table says it all again


def _decode(frames: Sequence[zmq.Frame]) -> tuple[Message, int]:
    if len(frames) < 3:
        raise ProtocolError("A message has too few frames.", code="bad_prefix")
    return decode(frames[1].buffer, frames[2].buffer)


def serve(settings: Settings) -> None:
    """Run the broker until SIGTERM or SIGINT."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        broker = Broker(context, settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: broker.stop())
        log.info("listening on %s, events on %s", settings.bus, settings.bus_events)
        try:
            broker.run()
        finally:
            broker.close()
    finally:
        context.term()
