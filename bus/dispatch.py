"""Which peer gets which item, and when."""

import zlib

from bus.feeding import Feeder
from bus.limits import MAX_SMALL
from bus.peers import Lease, Peer
from bus.queues import Item, Room
from bus.state import BusState
from shared.messages import Task

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
        state = self._state
        for service, queue in list(state.items.queues.items()):
            if state.suspects.waits(service):
                self._seat_suspects(service, now)
            if queue.pages:
                self._dispatch(service, now)

    def offer(self, peer: Peer, now: float) -> None:
        """Put the peer where `run` finds it, or take it away from there."""
        if not peer.hello.service:
            return
        room, load = self._room(peer.hello.service), len(peer.leases)
        credit = self._state.places.credit(peer.slot, peer.credit, now)
        if not peer.is_ready or not credit or len(peer.answered) >= MAX_SMALL:
            self._unseat(peer)
            room.drop(peer.id)
            return
        if peer.solo is not None:
            self._offer_solo(peer, credit, now)
            load = len(peer.leases)
        if peer.solo is None and load < credit:
            room.put(peer.id, load)
        else:
            room.drop(peer.id)

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
            if (item.alone or item.crashes >= ALONE_AFTER_CRASHES) and not item.is_split:
                self._state.suspects.add([item])
                self._seat_suspects(service, now)
                continue
            peer = self._state.peers[peer_id]
            self._send(item, peer, now)
            self.offer(peer, now)

    def _send(self, item: Item, peer: Peer, now: float) -> None:
        self._lease += 1
        self._state.items.send_out(item, peer.id, self._lease, now)
        peer.leases[item.key] = Lease(sent_at=now)
        self._state.counters["leases"] += 1
        header = {**item.header, "attempt": item.attempts + 1, "crashes": item.crashes}
        task = Task(item.key, item.lease, item.job, header)
        self._state.send(peer.id, task, item.payload, item.payload_hash)

    # --- suspects: the peer first finishes what it has, then gets the group and nothing else --

    def _seat_suspects(self, service: str, now: float) -> None:
        while (peer_id := self._room(service).best()) is not None:
            group = self._state.suspects.take(service)
            if group is None:
                return
            peer = self._state.peers[peer_id]
            peer.solo = group
            self.offer(peer, now)

    def _offer_solo(self, peer: Peer, credit: int, now: float) -> None:
        group = peer.solo
        assert group is not None
        if peer.leases and not group.begun:
            return
        while group.waiting and len(peer.leases) < credit:
            group.begun = True
            item = next(iter(group.waiting.values()))
            self._state.items.take_out(item)
            self._send(item, peer, now)
        if not group.waiting and not peer.leases:
            peer.solo = None

    def _unseat(self, peer: Peer) -> None:
        if peer.solo is not None:
            self._state.suspects.put_back(peer.solo)
            peer.solo = None

    def _room(self, service: str) -> Room:
        room = self._rooms.get(service)
        if room is None:
            room = self._rooms[service] = Room()
        return room
