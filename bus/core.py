"""The broker's decisions: events and a clock reading in, commands out. No sockets, no clock.

The life of an item:

    queued -> leased -> answered -> (committed, forgotten)
      ^ ^       |  |
      | |       |  +-- refused too often, crashed too often -> verdict -> (committed, forgotten)
      | +-- waiting (back-off) <- refused, outside failure
      +---- lost, returned, audited
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bus.jobs import JobBook
from bus.peers import Lease, Peer, to_status
from bus.queues import MIN_ITEM_BYTES, Item, LaneQueue, Room
from shared.errors import ProtocolError
from shared.health import WorkerStatus
from shared.messages import (
    Bye,
    Cancel,
    Closed,
    Committed,
    Exited,
    Heartbeat,
    Hello,
    Kill,
    Message,
    PageReady,
    Priority,
    Publish,
    Pulse,
    Resend,
    Result,
    Returned,
    Revoke,
    SplitDone,
    Started,
    Submit,
    Task,
    Welcome,
    Who,
    parse_page_key,
)
from shared.settings import MIB, Settings

AUDIT_SECONDS = 2.0  # a task may be on its way this long before a heartbeat must list it
VERDICT_RESEND_SECONDS = 1.0  # collect commits within milliseconds; a second means it was lost
ANSWER_GRACE_SECONDS = 2.0  # a lost worker's passed-on answers may still be committed
EXIT_GRACE_SECONDS = 0.25  # the supervisor's word on an exit comes this much later at most
MAX_BACKOFF_SECONDS = 30.0
MAX_UNCOMMITTED = 64  # answers a worker may have open before it gets no more pages


@dataclass(frozen=True, slots=True)
class Send:
    """Command: send this to that peer. `digest` is the payload's hash as its sender said."""

    peer: bytes
    message: Message
    payload: tuple[Any, ...] = ()
    digest: int = 0


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Command: publish this to everyone who watches."""

    message: Publish


Command = Send | Broadcast


@dataclass(slots=True)
class Core:
    """The state of one broker epoch."""

    settings: Settings
    epoch: str
    peers: dict[bytes, Peer] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    book: JobBook = field(default_factory=JobBook)
    queues: dict[str, LaneQueue] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    awaiting: dict[str, dict[bytes, None]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    _out: list[Command] = field(default_factory=list)
    _waiting: list[tuple[float, int, Item]] = field(default_factory=list)
    _verdicts: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _grace: list[tuple[float, int, str, bytes]] = field(default_factory=list)
    _exits: OrderedDict[tuple[str, int], str] = field(default_factory=OrderedDict)
    _sequence: int = 0
    _pulse_at: float = 0.0

    # --- what comes in -------------------------------------------------------------------

    def receive(
        self, peer_id: bytes, message: Message, payload: tuple[Any, ...], digest: int, now: float
    ) -> list[Command]:
        """Take one message of one peer."""
        if isinstance(message, Hello):
            self._hello(peer_id, message, now)
            return self._flush(now)
        if isinstance(message, Submit):  # a doorbell needs no Hello
            for job, lane in message.jobs:
                if self.book.add(job, lane):
                    self._count("jobs")
            return self._flush(now)
        handler = _ANONYMOUS.get(type(message))
        if handler is not None:
            handler(self, message, now)
            return self._flush(now)
        peer = self.peers.get(peer_id)
        if peer is None:
            self._out.append(Send(peer_id, Who(self.epoch)))
            if isinstance(message, Result):  # harmless at worst: collect takes the first answer
                self._pass_on(peer_id, message, payload, digest)
            return self._flush(now)
        peer.seen_at = now
        if isinstance(message, Result):
            self._result(peer, message, payload, digest, now)
        elif isinstance(message, PageReady):
            self._page_ready(peer, message, payload, digest)
        else:
            known = _HANDLERS.get(type(message))
            if known is None:
                raise ProtocolError(
                    f"{type(message).__name__} is no message for the broker.", code="bad_kind"
                )
            known(self, peer, message, now)
        return self._flush(now)

    def disconnected(self, peer_id: bytes, now: float) -> list[Command]:
        """The socket of a peer is gone."""
        peer = self.peers.get(peer_id)
        if peer is not None:
            self._lose(peer, "its connection ended", now)
        return self._flush(now)

    def unreachable(self, peer_id: bytes, now: float) -> list[Command]:
        """A send to the peer failed: it is gone, or reads nothing any more."""
        self._count("unreachable")
        return self.disconnected(peer_id, now)

    def tick(self, now: float) -> list[Command]:
        """Time has passed: back-offs, leases, hangs, heartbeats."""
        while self._waiting and self._waiting[0][0] <= now:
            item = heapq.heappop(self._waiting)[2]
            if item.state == "waiting" and self.items.get(item.key) is item:
                self._queue(item.service).push(item, front=True)
        while self._grace and self._grace[0][0] <= now:
            _, _, key, peer_id = heapq.heappop(self._grace)
            item_or_none = self.items.get(key)
            if (
                item_or_none is not None
                and item_or_none.state == "answered"
                and item_or_none.peer == peer_id
            ):
                self._requeue(item_or_none)
        for key, at in list(self._verdicts.items()):
            if now - at < VERDICT_RESEND_SECONDS:
                break
            self._say_verdict(self.items[key], now)
        if now >= self._pulse_at:
            self._pulse_at = now + self.settings.heartbeat_seconds
            for peer in list(self.peers.values()):
                if now - peer.seen_at > self.settings.silence_seconds:
                    self._lose(peer, f"it was silent for {now - peer.seen_at:.1f} s", now)
                else:
                    self._out.append(Send(peer.id, Pulse(self.epoch)))
                    self._check_progress(peer, now)
            for job in self.book.stale(now):
                job.restart()
        return self._flush(now)

    def next_deadline(self) -> float:
        """When `tick` has something to do at the latest."""
        deadline = self._pulse_at
        if self._waiting:
            deadline = min(deadline, self._waiting[0][0])
        if self._grace:
            deadline = min(deadline, self._grace[0][0])
        return deadline

    def workers(self, now: float) -> tuple[WorkerStatus, ...]:
        """The table of processes."""
        return tuple(to_status(peer, now) for peer in self.peers.values() if peer.hello.service)

    def queue_table(self) -> dict[str, dict[str, int]]:
        """Waiting in the broker, by service."""
        return {
            name: {"pages": queue.pages, "bytes": queue.bytes, "jobs": queue.jobs()}
            for name, queue in self.queues.items()
        }

    # --- peers ---------------------------------------------------------------------------

    def _hello(self, peer_id: bytes, hello: Hello, now: float) -> None:
        old = self.peers.get(peer_id)
        known = old.leases if old is not None else {}
        peer = Peer(id=peer_id, hello=hello, seen_at=now, since=now, progress_at=now)
        if old is not None:
            peer.pages_done, peer.since = old.pages_done, old.since
        self.peers[peer_id] = peer
        self._out.append(Send(peer_id, Welcome(self.epoch)))
        held = {key for key, _, _ in hello.held}
        for key, lease, stage in hello.held:
            self._adopt(peer, key, lease, stage, now)
        for key in known:
            item = self.items.get(key)
            if key not in held and item is not None and item.peer == peer_id:
                self._requeue(item)
        if hello.role == "collect":
            for other in self.peers.values():
                if other is not peer:
                    self._out.append(Send(other.id, Resend()))
        self._offer(peer)

    def _adopt(self, peer: Peer, key: str, lease: int, stage: str, now: float) -> None:
        """A worker holds this: from before a restart of the broker, or of its connection."""
        item = self.items.get(key)
        if item is None:
            if key.startswith("split:"):
                return  # a split task of another epoch: a new one begins from the store
            job = parse_page_key(key)[0]
            item = Item(
                key=key, job=job, service=peer.hello.service, lane=self.book.lane(job), header={}
            )
            item.has_payload = False
            item.lease = lease
            self.items[key] = item
            self.book.entered(job)
            self._count("adopted")
        elif item.state not in {"leased", "answered"} or item.peer != peer.id:
            if item.state in {"queued", "waiting"} and not item.has_payload:
                return
            if stage != "answered" and item.state != "answered":
                # someone else has it, or it waits: the first answer wins, no need to take it away
                return
        item.peer = peer.id
        if stage == "answered":
            item.state = "answered"
            peer.answered[key] = None
            self.awaiting.setdefault(key, {})[peer.id] = None
            return
        item.state = "leased"
        item.sent_at = now
        peer.leases[key] = Lease(sent_at=now, running=stage == "running", started_at=now)

    def _heartbeat(self, peer: Peer, beat: Heartbeat, now: float) -> None:
        if beat.progress != peer.progress or set(beat.running) != peer.running:
            peer.progress, peer.progress_at = beat.progress, now
            peer.running = set(beat.running)
        peer.status = dict(beat.status)
        held = set(beat.held)
        for key, lease in list(peer.leases.items()):
            if key not in held and now - lease.sent_at > AUDIT_SECONDS:
                self._count("audited")
                del peer.leases[key]
                item = self.items.get(key)
                if item is not None and item.peer == peer.id and item.state == "leased":
                    self._requeue(item)
        self._offer(peer)

    def _check_progress(self, peer: Peer, now: float) -> None:
        if not peer.running or peer.kill_asked:
            return
        usual = peer.usual_seconds or 0.0
        deadline = max(self.settings.hang_seconds, self.settings.hang_factor * usual)
        stood = now - peer.progress_at
        if stood > deadline:
            peer.kill_asked = True
            self._count("hangs")
            reason = f"no progress for {stood:.0f} s on {', '.join(sorted(peer.running))}"
            kill = Kill(peer.hello.host, peer.hello.pid, reason)
            self._exits[peer.hello.host, peer.hello.pid] = f"it hung ({reason}) and was ended"
            for other in self.peers.values():
                if other.hello.role == "supervisor" or other is peer:
                    self._out.append(Send(other.id, kill))

    def _lose(self, peer: Peer, why: str, now: float) -> None:
        """A worker is gone: what it ran is charged, what it held goes back."""
        del self.peers[peer.id]
        self._room(peer.hello.service).drop(peer.id)
        self._count("lost_peers")
        why = self._exits.pop((peer.hello.host, peer.hello.pid), why)
        for key, lease in peer.leases.items():
            item = self.items.get(key)
            if item is None or item.peer != peer.id or item.state != "leased":
                continue
            if lease.running:
                self._charge_crash(item, why, now)
            else:
                self._requeue(item)
        for key in peer.answered:
            self._sequence += 1
            heapq.heappush(self._grace, (now + ANSWER_GRACE_SECONDS, self._sequence, key, peer.id))

    def _exited(self, message: Exited, now: float) -> None:
        died = f"signal {message.signal}" if message.signal >= 0 else f"exit {message.exit_code}"
        place = (message.host, message.pid)
        for peer in list(self.peers.values()):
            if (peer.hello.host, peer.hello.pid) == place:
                self._exits.setdefault(place, f"its process ended ({died})")
                self._lose(peer, f"its process ended ({died})", now)
                return
        for item in self.items.values():
            if item.header.get("_charged_to") == place:
                item.reason = item.reason.replace("its connection ended", f"it died of {died}")

    def _bye(self, peer: Peer, _message: Bye, now: float) -> None:
        for lease in peer.leases.values():
            lease.running = False  # it says itself that it did not crash
        self._lose(peer, "it left", now)

    def _returned(self, peer: Peer, message: Returned, _now: float) -> None:
        for key in message.keys:
            peer.leases.pop(key, None)
            item = self.items.get(key)
            if item is not None and item.peer == peer.id and item.state == "leased":
                self._requeue(item)
        self._offer(peer)

    def _started(self, peer: Peer, message: Started, now: float) -> None:
        lease = peer.leases.get(message.key)
        item = self.items.get(message.key)
        if lease is None or item is None or item.lease != message.lease:
            return
        lease.running, lease.started_at = True, now
        peer.running.add(message.key)
        peer.progress_at = now
        item.attempts += 1
        if not item.is_split:
            job, page, engine = parse_page_key(item.key)
            data = {"page": page, "engine": engine, "state": "running", "worker": peer.name}
            self._out.append(Broadcast(Publish(job, "running", 0, data)))

    def _offer(self, peer: Peer) -> None:
        """Put the peer where dispatch finds it, or take it away from there."""
        room = self._room(peer.hello.service)
        ready = peer.status.get("state", "ready") == "ready" and not peer.kill_asked
        load = len(peer.leases)
        full = load >= peer.hello.credit or len(peer.answered) >= MAX_UNCOMMITTED
        if not peer.hello.service or not ready or full or peer.solo is not None:
            room.drop(peer.id)
        else:
            room.put(peer.id, load)

    # --- pages ---------------------------------------------------------------------------

    def _page_ready(
        self, peer: Peer, message: PageReady, payload: tuple[Any, ...], digest: int
    ) -> None:
        size = max(MIN_ITEM_BYTES, sum(len(frame) for frame in payload))
        item = self.items.get(message.key)
        if item is not None:
            if not item.has_payload:  # adopted from before a restart: now it could be sent again
                item.payload, item.payload_hash, item.size = payload, digest, size
                item.header, item.has_payload = dict(message.header), True
            return
        if not self.book.knows(message.job):
            return  # cancelled meanwhile
        item = Item(
            key=message.key,
            job=message.job,
            service=message.service,
            lane=self.book.lane(message.job),
            header=dict(message.header),
            payload=payload,
            payload_hash=digest,
            size=size,
            crashes=int(message.header.get("crashes", 0)),
        )
        self.items[item.key] = item
        self.book.entered(item.job)
        self._queue(item.service).push(item)
        del peer

    def _result(
        self, peer: Peer, message: Result, payload: tuple[Any, ...], digest: int, now: float
    ) -> None:
        key = message.key
        lease = peer.leases.pop(key, None)
        peer.running.discard(key)
        peer.progress_at = now
        if peer.solo == key:
            peer.solo = None
        item = self.items.get(key)
        if message.outcome in {"done", "failed"}:
            if lease is not None and lease.running:
                peer.finished(now, now - lease.started_at)
            if item is not None and item.state in {"queued", "waiting"}:
                self._take_out(item)
            if item is not None and item.state != "verdict":
                item.state, item.peer = "answered", peer.id
            peer.answered[key] = None
            self._pass_on(peer.id, message, payload, digest)
        else:
            self._out.append(Send(peer.id, Committed((key,))))
            if item is not None and item.state == "leased" and item.peer == peer.id:
                self._try_again(item, message, now)
        self._offer(peer)

    def _try_again(self, item: Item, message: Result, now: float) -> None:
        """A page came back without a result: of the page, or of the outside."""
        item.reason = str(message.header.get("reason", ""))
        item.reason_type = str(message.header.get("reason_type", ""))
        if message.outcome == "refused":
            item.refusals += 1
            self._count("refused")
            if item.refusals >= self.settings.page_attempts:
                self._verdict(item, now)
                return
            tries = item.refusals
        else:
            item.outages += 1
            self._count("outages")
            tries = item.outages
        wait = min(self.settings.backoff_seconds * 2 ** min(tries - 1, 10), MAX_BACKOFF_SECONDS)
        item.state, item.peer = "waiting", None
        self._sequence += 1
        heapq.heappush(self._waiting, (now + wait, self._sequence, item))

    def _charge_crash(self, item: Item, why: str, now: float) -> None:
        item.crashes += 1
        self._count("crashes")
        item.reason = f"The process that read this page was lost: {why}."
        item.reason_type = "crashed"
        if item.crashes >= self.settings.crash_attempts:
            item.header["quarantined"] = True
            self._verdict(item, now)
        else:
            self._requeue(item)

    def _verdict(self, item: Item, now: float) -> None:
        """The broker itself ends a page; said until collect has committed it."""
        item.state, item.peer, item.payload = "verdict", None, ()
        self._count("verdicts")
        self._say_verdict(item, now)

    def _say_verdict(self, item: Item, now: float) -> None:
        self._verdicts[item.key] = now
        self._verdicts.move_to_end(item.key)
        header = {
            "reason": item.reason,
            "reason_type": item.reason_type or "refused",
            "attempts": item.attempts,
            "crashes": item.crashes,
            "quarantined": bool(item.header.get("quarantined")),
        }
        message = Result(item.key, item.lease, "failed", header)
        collector = self._collector()
        if collector is not None:
            self._out.append(Send(collector, message))

    def _pass_on(
        self, peer_id: bytes, message: Result, payload: tuple[Any, ...], digest: int
    ) -> None:
        """To collect, where there is one; otherwise the worker sends it again later."""
        self.awaiting.setdefault(message.key, {})[peer_id] = None
        collector = self._collector()
        if collector is None:
            self._count("results_without_collect")
            return
        item = self.items.get(message.key)
        if item is not None:
            counts = {"attempts": max(1, item.attempts), "crashes": item.crashes}
            if item.reason and message.outcome == "done":
                counts["retried_because"] = item.reason  # type: ignore[assignment]
            message = replace(message, header={**message.header, **counts})
        self._out.append(Send(collector, message, payload, digest))

    def _committed(self, _peer: Peer, message: Committed, now: float) -> None:
        waiting: dict[bytes, list[str]] = {}
        for key in message.keys:
            for peer_id in self.awaiting.pop(key, ()):
                waiting.setdefault(peer_id, []).append(key)
            item = self.items.get(key)
            if item is not None:
                self._forget(item, now)
        for peer_id, keys in waiting.items():
            peer = self.peers.get(peer_id)
            if peer is None:
                continue
            for key in keys:
                peer.answered.pop(key, None)
            self._out.append(Send(peer_id, Committed(tuple(keys))))
            self._offer(peer)
        self._count("committed", len(message.keys))

    def _forget(self, item: Item, now: float) -> None:
        if item.state in {"queued", "waiting"}:
            self._take_out(item)
        del self.items[item.key]
        self._verdicts.pop(item.key, None)
        if not item.is_split:
            self.book.left(item.job, now)

    def _take_out(self, item: Item) -> None:
        """Remove one queued item; rare, so the cost of its job's queue is fine."""
        if item.state == "queued":
            queue = self._queue(item.service)
            for other in queue.remove_job(item.job):
                if other is not item:
                    queue.push(other)
        item.state = "answered"

    def _requeue(self, item: Item) -> None:
        """Back to the head of its job; without its bytes it is read again from the store."""
        item.peer = None
        if item.has_payload:
            self._queue(item.service).push(item, front=True)
            self._count("requeued")
            return
        del self.items[item.key]
        if not item.is_split:
            self.book.rescan(item.job)

    # --- jobs ----------------------------------------------------------------------------

    def _split_done(self, peer: Peer, message: SplitDone, now: float) -> None:
        peer.leases.pop(message.key, None)
        peer.running.discard(message.key)
        item = self.items.pop(message.key, None)
        if item is not None and item.state == "queued":
            self._queue("split").remove_job(item.job)
        self.book.split_done(message.job, message.cursor, now, finished=message.finished)
        peer.finished(now, now - peer.progress_at)
        peer.progress_at = now
        self._offer(peer)

    def _closed(self, message: Closed, now: float) -> None:
        for job in message.jobs:
            self._drop_job(job, now)

    def _cancel(self, message: Cancel, now: float) -> None:
        self._drop_job(message.job, now)

    def _drop_job(self, job: str, now: float) -> None:
        if not self.book.knows(job):
            return
        revoked: dict[bytes, list[str]] = {}
        for item in [item for item in self.items.values() if item.job == job]:
            if item.peer is not None and item.state == "leased":
                revoked.setdefault(item.peer, []).append(item.key)
            if item.state == "queued":
                self._queue(item.service).remove_job(job)
            del self.items[item.key]
            self._verdicts.pop(item.key, None)
        for peer_id, keys in revoked.items():
            self._out.append(Send(peer_id, Revoke(tuple(keys))))
        self.book.close(job)
        del now

    def _priority(self, message: Priority, _now: float) -> None:
        self.book.move(message.job, message.lane)
        for queue in self.queues.values():
            for item in queue.remove_job(message.job):
                item.lane = message.lane
                queue.push(item)
        for item in self.items.values():
            if item.job == message.job:
                item.lane = message.lane

    def _publish(self, message: Publish, _now: float) -> None:
        self._out.append(Broadcast(message))

    def _feed(self) -> None:
        """Give split tasks to the jobs that have room ahead of their engine."""
        for job in self.book.hungry(self.settings.window_pages, self._has_room):
            key = f"split:{job.id}"
            header = {
                "cursor": list(job.cursor),
                "limit": self.settings.split_chunk_pages,
                "engines": sorted(
                    {p.hello.engine for p in self.peers.values() if p.is_ready_engine}
                ),
            }
            item = Item(key=key, job=job.id, service="split", lane=job.lane, header=header)
            self.items[key] = item
            self._queue("split").push(item)

    def _has_room(self, *, starving: bool) -> bool:
        """Whether payload may grow; a job with nothing ahead gets in up to twice the limit."""
        held = sum(queue.bytes for queue in self.queues.values())
        limit = self.settings.queue_mib * MIB
        return held < (2 * limit if starving else limit)

    # --- dispatch ------------------------------------------------------------------------

    def _flush(self, now: float) -> list[Command]:
        self._feed()
        for service in list(self.queues):
            self._dispatch(service, now)
        out, self._out = self._out, []
        return out

    def _dispatch(self, service: str, now: float) -> None:
        queue, room = self._queue(service), self._room(service)
        while queue.pages:
            peer_id = room.best()
            if peer_id is None:
                return
            item = queue.pop()
            if item is None:
                return
            if item.crashes >= 2:  # a suspect runs alone, so that it takes nobody with it
                idle = room.best(idle_only=True)
                if idle is None:
                    queue.push(item, front=True)
                    return
                peer_id = idle
                self.peers[peer_id].solo = item.key
            self._lease(item, self.peers[peer_id], now)

    def _lease(self, item: Item, peer: Peer, now: float) -> None:
        item.lease += 1
        item.state, item.peer, item.sent_at = "leased", peer.id, now
        peer.leases[item.key] = Lease(sent_at=now)
        self._count("leases")
        header = {**item.header, "attempt": item.attempts + 1, "crashes": item.crashes}
        task = Task(item.key, item.lease, item.job, header)
        self._out.append(Send(peer.id, task, item.payload, item.payload_hash))
        self._offer(peer)

    # --- small ---------------------------------------------------------------------------

    def _collector(self) -> bytes | None:
        for peer in self.peers.values():
            if peer.hello.role == "collect":
                return peer.id
        return None

    def _queue(self, service: str) -> LaneQueue:
        return self.queues.setdefault(service, LaneQueue())

    def _room(self, service: str) -> Room:
        return self.rooms.setdefault(service, Room())

    def _count(self, name: str, by: int = 1) -> None:
        self.counters[name] = self.counters.get(name, 0) + by


_HANDLERS: dict[type, Callable[[Core, Peer, Any, float], None]] = {
    Heartbeat: Core._heartbeat,
    Started: Core._started,
    Returned: Core._returned,
    SplitDone: Core._split_done,
    Committed: Core._committed,
    Bye: Core._bye,
}
_ANONYMOUS: dict[type, Callable[[Core, Any, float], None]] = {
    Closed: Core._closed,
    Cancel: Core._cancel,
    Priority: Core._priority,
    Publish: Core._publish,
    Exited: Core._exited,
}
