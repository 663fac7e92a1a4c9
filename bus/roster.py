"""Processes that come, say what they hold, and take up what they held before."""

from bus.answers import Answers
from bus.dispatch import Dispatcher
from bus.peers import Lease, Peer
from bus.queues import Item
from bus.state import BusState
from shared.messages import (
    Heartbeat,
    Hello,
    Publish,
    Resend,
    Returned,
    Started,
    Welcome,
    parse_page_key,
    split_job,
)

AUDIT_SECONDS = 2.0  # a task may be on its way this long before a heartbeat must list it


class Roster:
    """Who is here, and what each of them holds."""

    def __init__(self, state: BusState, dispatcher: Dispatcher, answers: Answers) -> None:
        self._state = state
        self._dispatcher = dispatcher
        self._answers = answers

    def hello(self, peer_id: bytes, hello: Hello, now: float) -> None:
        """A process is here, for the first time or again."""
        state = self._state
        peer = state.peers.get(peer_id)
        if peer is None:
            peer = Peer(id=peer_id, hello=hello, seen_at=now, since=now, progress_at=now)
            state.peers[peer_id] = peer
            if state.absent.joined(peer):
                state.counters["restarts"] += 1
        peer.hello, peer.status, peer.seen_at = hello, dict(hello.status), now
        peer.blamed = state.places.sentence(peer.slot, now)
        state.find_collector()
        state.send(peer_id, Welcome(state.epoch))
        self._audit(peer, {key for key, _, _ in hello.held}, now)
        for key, lease, stage in hello.held:
            self._adopt(peer, key, lease, stage, now)
        if hello.role == "collect":
            for other in state.peers.values():
                if other is not peer:
                    state.send(other.id, Resend())
        self._dispatcher.offer(peer, now)

    def heartbeat(self, peer: Peer, beat: Heartbeat, now: float) -> None:
        """It lives; it holds this; its work has moved so far."""
        running = set(beat.running)
        if beat.progress != peer.progress or running != peer.running:
            peer.progress, peer.progress_at, peer.running = beat.progress, now, running
        peer.status = dict(beat.status)
        self._audit(peer, set(beat.held), now)
        self._dispatcher.offer(peer, now)

    def started(self, peer: Peer, message: Started, now: float) -> None:
        """From here on a crash is charged to this page."""
        lease = peer.leases.get(message.key)
        item = self._state.items.get(message.key)
        if lease is None or item is None or item.lease != message.lease or item.peer != peer.id:
            return
        lease.running, lease.started_at = True, now
        peer.running.add(message.key)
        peer.progress_at = now
        item.attempts += 1
        if not item.is_split:
            job, page, asked = parse_page_key(item.key)
            engine = peer.hello.engine or asked
            data = {"page": page, "asked": asked, "engine": engine, "state": "running"}
            data["worker"] = peer.name
            self._state.publish(Publish(job, "running", 0, data))

    def returned(self, peer: Peer, message: Returned, now: float) -> None:
        """It has not begun these and will not."""
        for key in reversed(message.keys):
            if peer.leases.pop(key, None) is not None:
                self._give_back(peer, key)
        self._dispatcher.offer(peer, now)

    def _audit(self, peer: Peer, held: set[str], now: float) -> None:
        """What it does not list and should have by now was lost on the way."""
        for key, lease in reversed(list(peer.leases.items())):
            if key not in held and now - lease.sent_at > AUDIT_SECONDS:
                self._state.counters["audited"] += 1
                del peer.leases[key]
                self._give_back(peer, key)

    def _give_back(self, peer: Peer, key: str) -> None:
        item = self._state.items.get(key)
        if item is not None and item.peer == peer.id and item.state == "leased":
            self._state.requeue(item)

    def _adopt(self, peer: Peer, key: str, lease: int, stage: str, now: float) -> None:
        """It holds this: from before a restart of the broker, or of its connection.

        The lease counts against its credit in any case. Its work is taken for the page's own
        unless another process has the page, or the page is settled: the first answer wins.
        """
        if stage == "answered":
            peer.leases.pop(key, None)
            self._answers.keep(peer, key)
        else:
            old = peer.leases.get(key)
            peer.leases[key] = Lease(old.sent_at if old else now, stage == "running", now)
        item = self._state.items.get(key)
        if item is None:
            if split_job(key):
                return  # of another epoch: a new one begins from the store
            item = self._adopted(peer, key)
        elif item.is_split and item.lease != lease:
            return  # of another epoch too: its cursor says nothing about what is here
        elif stage == "answered":
            if item.state == "verdict":
                return
        elif item.state not in {"queued", "suspect", "parked", "waiting"} or item.lease > lease:
            return  # settled, out, or since then out to someone else
        self._state.items.take_out(item)
        if item.charged_to == (peer.hello.host, peer.hello.pid):
            item.crashes, item.charged_to = item.crashes - 1, None  # it lives after all
        if item.peer != peer.id:  # whether its bytes came from split before this Hello or not
            self._state.counters["adopted"] += 1
        self._state.items.adopt(item, peer.id, lease, now, stage)

    def _adopted(self, peer: Peer, key: str) -> Item:
        job = parse_page_key(key)[0]
        lane = self._state.book.lane(job)
        item = Item(key=key, job=job, service=peer.hello.service, lane=lane, header={})
        item.has_payload, item.state = False, "held"
        self._state.items.add(item)
        return item
