"""Processes that said nothing for too long: their pages go to others, and are not charged yet.

A process may be silent because its engine holds the interpreter in one long call, because the
network is cut, or because it hangs or is stopped. Whether the page it ran is to blame shows later:
when it speaks again there was no crash; when it ends, or is still silent after the time that
counts as a hang, there was one, and its supervisor is asked to kill it.
"""

from dataclasses import dataclass

from bus.peers import Peer


@dataclass(slots=True)
class Silent:
    """One such process: what it ran, and when its silence counts as a hang."""

    peer: Peer
    running: tuple[str, ...]
    since: float
    hangs_at: float


class Silence:
    """The silent processes, by their peer id."""

    def __init__(self) -> None:
        self._silent: dict[bytes, Silent] = {}

    def add(self, peer: Peer, running: tuple[str, ...], hangs_at: float) -> None:
        """It has been silent for too long."""
        self._silent[peer.id] = Silent(peer, running, peer.seen_at, hangs_at)

    def spoke(self, peer_id: bytes) -> None:
        """It lives after all."""
        self._silent.pop(peer_id, None)

    def take(self, peer_id: bytes) -> Silent | None:
        """Its connection has ended."""
        return self._silent.pop(peer_id, None)

    def take_process(self, host: str, pid: int) -> list[Silent]:
        """Its supervisor says that it has ended."""
        ended = [s for s in self._silent.values() if s.peer.hello.host == host]
        return [self._silent.pop(s.peer.id) for s in ended if s.peer.hello.pid == pid]

    def take_hung(self, now: float) -> list[Silent]:
        """Those that are silent for as long as a hang takes."""
        due = [silent for silent in self._silent.values() if now >= silent.hangs_at]
        return [self._silent.pop(silent.peer.id) for silent in due]
