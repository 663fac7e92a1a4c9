"""Results on their way to collect, and who has to hear that they are committed."""

import heapq
from dataclasses import replace
from typing import Any

from bus.peers import Peer
from bus.queues import Item
from bus.state import BusState
from bus.tries import told_of
from shared.messages import Committed, Result, Revoke, parse_page_key

ANSWER_GRACE_SECONDS = 2.0  # a lost worker's passed-on answers may still be committed


class Answers:
    """Passes answers on; the broker keeps none of them, their worker does."""

    def __init__(self, state: BusState) -> None:
        self._state = state
        self._awaiting: dict[str, dict[bytes, None]] = {}
        self._committed = 0
        self._moved_at = 0.0
        self._grace: list[tuple[float, int, str, bytes]] = []

    def __len__(self) -> int:
        return len(self._awaiting)

    def behind(self, now: float) -> tuple[int, float]:
        """(answers not committed, seconds in which none was); as exact as it is asked often."""
        committed = self._state.counters["committed"]
        if not self._awaiting or committed != self._committed:
            self._committed, self._moved_at = committed, now
        return len(self._awaiting), now - self._moved_at

    def next_deadline(self) -> float:
        """When `tick` has something to do; infinite when never."""
        return self._grace[0][0] if self._grace else float("inf")

    def tick(self, now: float) -> None:
        """Give back what gone workers answered and nobody committed."""
        while self._grace and self._grace[0][0] <= now:
            _, _, key, peer_id = heapq.heappop(self._grace)
            item = self._state.items.get(key)
            if item is None or item.state != "answered" or item.peer != peer_id:
                continue
            peer = self._state.peers.get(peer_id)
            if peer is None or key not in peer.answered:
                self._state.requeue(item)

    def keep(self, peer: Peer, key: str) -> None:
        """The peer has an answer that is not committed."""
        peer.answered[key] = None
        self._awaiting.setdefault(key, {})[peer.id] = None

    def pass_on(self, peer: Peer, message: Result, payload: tuple[Any, ...], digest: int) -> None:
        """To collect, where there is one; otherwise the worker sends it again later."""
        self.keep(peer, message.key)
        collector = self._state.taker()
        if collector is None:
            self._state.counters["results_without_collect"] += 1
            return
        item = self._state.items.get(message.key)
        if item is not None:
            counts: dict[str, Any] = {"attempts": max(1, item.attempts), "crashes": item.crashes}
            if item.reason and message.outcome == "done":
                counts["retried_because"] = item.reason
            message = replace(message, header={**message.header, **counts, **told_of(item)})
        self._state.send(collector, message, payload, digest)

    def committed(self, message: Committed, now: float) -> list[Peer]:
        """These are safe. The peers that have fewer answers open now."""
        told: dict[bytes, list[str]] = {}
        again = set(message.again)
        for key in message.keys:
            for peer_id in self._awaiting.pop(key, ()):
                told.setdefault(peer_id, []).append(key)
            item = self._state.items.get(key)
            if key in again:
                self._goes_on(key, item)
            elif item is not None:
                if item.state == "leased" and item.peer is not None:
                    self._state.send(item.peer, Revoke((key,)))  # another answer was first
                self._state.forget(item, now)
        self._state.counters["committed"] += len(message.keys)
        relieved = []
        for peer_id, keys in told.items():
            peer = self._state.peers[peer_id]
            for key in keys:
                peer.answered.pop(key, None)
            self._state.send(peer_id, Committed(tuple(keys)))
            relieved.append(peer)
        return relieved

    def _goes_on(self, key: str, item: Item | None) -> None:
        """Its answer was refused. Where the next attempt is under way already, it was old news."""
        job, page, asked = parse_page_key(key)
        if item is None:
            self._state.book.reread(job, (page, asked))
        elif item.state in {"answered", "verdict"}:
            item.tries.clear()  # they are kept with the refused answer
            self._state.counters["refused_answers"] += 1
            self._state.reread(item, (page, asked))

    def lost(self, peer: Peer, now: float) -> None:
        """The peer is gone: what it answered may still be committed for a while."""
        for key in peer.answered:
            waiting = self._awaiting.get(key, {})
            waiting.pop(peer.id, None)
            if not waiting:
                self._awaiting.pop(key, None)
            entry = (now + ANSWER_GRACE_SECONDS, -self._state.sequence(), key, peer.id)
            heapq.heappush(self._grace, entry)  # the last first: each goes before the others
