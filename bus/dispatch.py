"""Which peer gets which item, and when."""

import zlib
from collections import OrderedDict

from bus.feeding import Feeder
from bus.peers import Lease, Peer
from bus.queues import Item, Room
from bus.state import BusState
from shared.messages import Task

MAX_UNCOMMITTED = 64  # answers a worker may have open before it gets no more pages
ALONE_AFTER_CRASHES = 2  # such a page is a suspect: it runs alone and takes nobody with it
_LEASES_PER_EPOCH_BITS = 20  # lease numbers of two epochs hardly ever meet


class Dispatcher:
    """Keeps the peers with room, and hands out what waits. Never more than a peer's credit."""

    def __init__(self, state: BusState, feeder: Feeder) -> None:
        self._state = state
        self._feeder = feeder
        self._rooms: dict[str, Room] = {}
        self._lease = zlib.crc32(state.epoch.encode()) << _LEASES_PER_EPOCH_BITS

    def run(self, now: float) -> None:
        """Hand out all that can be."""
        items = self._state.items
        for service, queue in list(items.queues.items()):
            if items.suspects.get(service):
                self._seat_suspects(service, now)
            if queue.pages:
                self._dispatch(service, now)

    def offer(self, peer: Peer, now: float) -> None:
        """Put the peer where `run` finds it, or take it away from there."""
        if not peer.hello.service:
            return
        room = self._room(peer.hello.service)
        ready = peer.status.get("state", "ready") == "ready" and not peer.kill_asked
        if not ready or len(peer.answered) >= MAX_UNCOMMITTED:
            self._unseat(peer)
            room.drop(peer.id)
            return
        load = len(peer.leases)
        suspect = self._suspect_of(peer)
        if suspect is None and load < peer.credit:
            room.put(peer.id, load)
            return
        room.drop(peer.id)
        if suspect is not None and suspect.state == "suspect" and not load:
            self._state.items.take_out(suspect)
            self._send(suspect, peer, now)

    def withdraw(self, peer: Peer) -> None:
        """The peer is gone."""
        self._unseat(peer)
        self._room(peer.hello.service).drop(peer.id)

    def _dispatch(self, service: str, now: float) -> None:
        items, room = self._state.items, self._room(service)
        queue = items.queue(service)
        while queue.pages:
            peer_id = room.best()
            item = queue.pop() if peer_id is not None else None
            if item is None or peer_id is None:
                return
            item.state = "held"
            if item.is_split and not self._feeder.admit(item):
                continue
            if item.crashes >= ALONE_AFTER_CRASHES:
                item.state, item.peer = "suspect", None
                items.suspects.setdefault(service, OrderedDict())[item.key] = item
                self._seat_suspects(service, now)
                continue
            peer = self._state.peers[peer_id]
            self._send(item, peer, now)
            self.offer(peer, now)

    def _send(self, item: Item, peer: Peer, now: float) -> None:
        self._lease += 1
        item.lease = self._lease
        item.state, item.peer, item.sent_at = "leased", peer.id, now
        peer.leases[item.key] = Lease(sent_at=now)
        self._state.counters["leases"] += 1
        header = {**item.header, "attempt": item.attempts + 1, "crashes": item.crashes}
        task = Task(item.key, item.lease, item.job, header)
        self._state.send(peer.id, task, item.payload, item.payload_hash)

    # --- suspects: the peer first finishes what it has, then gets the one page alone ------

    def _seat_suspects(self, service: str, now: float) -> None:
        for item in list(self._state.items.suspects[service].values()):
            if item.peer is None:
                peer_id = self._room(service).best()
                if peer_id is None:
                    return
                peer = self._state.peers[peer_id]
                item.peer, peer.solo = peer_id, item.key
                self.offer(peer, now)

    def _suspect_of(self, peer: Peer) -> Item | None:
        if peer.solo is None:
            return None
        item = self._state.items.get(peer.solo)
        if item is None or item.peer != peer.id or item.state not in {"suspect", "leased"}:
            peer.solo = None
            return None
        return item

    def _unseat(self, peer: Peer) -> None:
        item = self._suspect_of(peer)
        if item is not None and item.state == "suspect":
            item.peer, peer.solo = None, None

    def _room(self, service: str) -> Room:
        room = self._rooms.get(service)
        if room is None:
            room = self._rooms[service] = Room()
        return room
