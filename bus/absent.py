"""Processes that should be there and are not: ended and not back, started and not joined, silent.

Two sources. A supervisor's heartbeat lists its processes; those that are not on the bus are shown
with its word. A process that was lost without a goodbye is remembered until it, or one in its
place, says Hello: an engine on a host without a supervisor must not vanish from health.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bus.peers import HUNG_SENTENCE, Peer, to_status
from shared.health import DRAINING, HUNG, LOST, SILENT, WorkerStatus

FORGOTTEN_SECONDS = 86_400.0  # a host that was taken away must not trouble health for ever
MAX_REMEMBERED = 256
HUNG_SHOWN_SECONDS = 10.0  # at most; whatever keeps the next process away by then is news
SHOWN_ELSEWHERE = frozenset({"broker", "web"})  # each has a row of its own while it lives

Slot = tuple[str, str]  # host and the name under which it is started there, maybe several by hand


@dataclass(frozen=True, slots=True)
class _Gone:
    row: WorkerStatus
    seen_at: float
    supervised: str  # what to say of it where a supervisor brings it back


class Absent:
    """Who is missing, as rows for the table of processes."""

    def __init__(self) -> None:
        self._gone: dict[tuple[Slot, int], _Gone] = {}  # by slot and process
        self._last_words: dict[Slot, str] = {}  # of who left, until the slot is taken again
        self._hung: dict[Slot, float] = {}  # and when who hung was found

    def joined(self, peer: Peer) -> bool:
        """It, or one in its place, is here; whether it took the place of one that had to end."""
        had_to_end = self._last_words.pop(peer.slot, None) is not None
        self._hung.pop(peer.slot, None)
        own = (peer.slot, peer.hello.pid)
        service = (peer.hello.host, peer.hello.service)
        same = (key for key in self._gone if key[0] == peer.slot)
        alike = (k for k, gone in self._gone.items() if (k[0][0], gone.row.service) == service)
        place = own if own in self._gone else next(same, None) or next(alike, own)
        followed = self._gone.pop(place, None) is not None and place != own
        return followed or had_to_end

    def lost(self, peer: Peer, why: str, now: float, *, silent: bool = False) -> None:
        """It is gone without a goodbye, or says nothing any more."""
        if not peer.hello.service:
            return
        self._note_words(peer)  # a goodbye may be overtaken by the end of its connection
        row = replace(
            to_status(peer, now),
            state=SILENT if silent else LOST,
            message=_silent() if silent else _lost(peer, why),
            in_flight=0,
            running=(),
            pages_a_minute=0.0,
            model_loaded=False,
        )
        supervised = row.message if silent else f"{peer.name} is gone: {why}. It is started again."
        self._gone[peer.slot, peer.hello.pid] = _Gone(row, peer.seen_at, supervised)
        if len(self._gone) > MAX_REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def hung(self, peer: Peer, now: float) -> None:
        """It is ended for a hang, within milliseconds: told until its place is taken again."""
        self._hung[peer.slot] = now
        if len(self._hung) > MAX_REMEMBERED:
            del self._hung[next(iter(self._hung))]

    def left(self, peer: Peer) -> None:
        """It said goodbye: nobody misses it; why it left is told while its place is empty."""
        self._gone.pop((peer.slot, peer.hello.pid), None)
        self._note_words(peer)

    def _note_words(self, peer: Peer) -> None:
        words = str(peer.status.get("message", ""))
        if peer.status.get("state") == "draining" and words not in {"", DRAINING}:
            self._last_words[peer.slot] = words
            if len(self._last_words) > MAX_REMEMBERED:
                del self._last_words[next(iter(self._last_words))]

    def rows(self, peers: Iterable[Peer], now: float) -> list[WorkerStatus]:
        """Everyone who is missing now."""
        old = [key for key, gone in self._gone.items() if now - gone.seen_at > FORGOTTEN_SECONDS]
        for key in old:
            del self._gone[key]
        peers = list(peers)
        here = {(peer.hello.host, peer.hello.pid) for peer in peers}
        supervised: set[Slot] = set()
        rows = []
        for host, process in _supervised(peers):
            row = _row(host, process, self._last_words)
            slot = host, row.worker
            gone = self._gone.get((slot, row.pid))
            supervised.add(slot)
            if row.role in SHOWN_ELSEWHERE or (host, row.pid) in here:
                continue
            if gone is not None and row.state == "starting":
                # It was here and runs, for all that its supervisor knows yet.
                row = replace(_aged(gone, now), message=gone.supervised)
            rows.append(self._as_hung(slot, row, now))
        alone = [
            self._as_hung(slot, _aged(gone, now), now)
            for (slot, _), gone in self._gone.items()
            if slot not in supervised
        ]
        return rows + alone

    def _as_hung(self, slot: Slot, row: WorkerStatus, now: float) -> WorkerStatus:
        """The row, as that of a process which hung where that is why it is away."""
        if now - self._hung.get(slot, float("-inf")) > HUNG_SHOWN_SECONDS:
            return row
        return replace(row, state=HUNG, message=HUNG_SENTENCE)


def _supervised(peers: Iterable[Peer]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for peer in peers:
        if peer.hello.role == "supervisor":
            for process in peer.status.get("processes", ()):
                if isinstance(process, dict):
                    yield peer.hello.host, process


def _row(host: str, process: Mapping[str, Any], last_words: Mapping[Slot, str]) -> WorkerStatus:
    pid = process.get("pid", 0)
    said = (last_words.get((host, str(process.get("name", ""))), ""), process.get("message", ""))
    return WorkerStatus(
        worker=str(process.get("name", "")),
        role=str(process.get("role", "")),
        service=str(process.get("service", "")),
        pid=pid if isinstance(pid, int) else 0,
        host=host,
        state=str(process.get("state", "")),
        engine=str(process.get("engine", "")),
        message=" ".join(str(words) for words in said if words),
    )


def _aged(gone: _Gone, now: float) -> WorkerStatus:
    return replace(gone.row, heartbeat_age_seconds=round(now - gone.seen_at, 3))


def _lost(peer: Peer, why: str) -> str:
    return f"{peer.name} is gone: {why}. Look at its log on {peer.hello.host} and start it there."


def _silent() -> str:
    return (
        "It says nothing any more: it hangs, is stopped, or the network is cut. Its pages go to "
        "others; its supervisor ends and restarts it when that lasts."
    )
