"""The broker's view of one connected process."""

from dataclasses import dataclass, field
from typing import Any

from bus.suspects import Group
from shared.health import HUNG, WorkerStatus
from shared.messages import Hello

_SMOOTHING = 0.2  # weight of the newest page in the usual page time
_RATE_WINDOW_SECONDS = 60.0
HUNG_SENTENCE = "It made no progress for too long: it is ended and started again, its page retried."
MAX_CREDIT = 4096  # no engine holds so many pages; a bound for what a peer may claim


@dataclass(slots=True)
class Lease:
    """One task that is out at a worker."""

    sent_at: float
    running: bool = False
    started_at: float = 0.0


@dataclass(slots=True, eq=False)
class Peer:
    """One process. `answered` are results passed on and not committed.

    `solo` are suspects that it empties itself for, or runs. `blamed` says why it gets no pages.
    """

    id: bytes
    hello: Hello
    seen_at: float
    since: float
    progress_at: float
    progress: int = 0
    leases: dict[str, Lease] = field(default_factory=dict)
    answered: dict[str, None] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    status: dict[str, Any] = field(default_factory=dict)
    solo: Group | None = None
    blamed: str = ""
    kill_asked: bool = False
    pages_done: int = 0
    usual_seconds: float | None = None
    _minute: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.status = dict(self.hello.status)

    @property
    def name(self) -> str:
        """The logical id that people see."""
        return self.hello.worker

    @property
    def credit(self) -> int:
        """How many tasks it takes now: what its last word was, or else its Hello."""
        said = self.status.get("credit")
        return max(0, min(said if isinstance(said, int) else self.hello.credit, MAX_CREDIT))

    @property
    def slot(self) -> tuple[str, str]:
        """Where it runs: the same for the process that is started after it."""
        return self.hello.host, self.hello.slot or self.hello.worker

    @property
    def is_ready(self) -> bool:
        """It takes work now."""
        return self.status.get("state", "ready") == "ready" and not self.kill_asked

    @property
    def is_ready_engine(self) -> bool:
        """An engine that takes pages now."""
        return self.hello.role == "engine" and self.is_ready and not self.blamed

    def finished(self, now: float, seconds: float) -> None:
        """A task ended after so many seconds."""
        self.pages_done += 1
        old = self.usual_seconds
        self.usual_seconds = seconds if old is None else old + _SMOOTHING * (seconds - old)
        self._minute.append(now)
        if len(self._minute) > 4096:  # a bound for engines that do thousands a minute
            del self._minute[:2048]

    def pages_a_minute(self, now: float) -> float:
        """Over the last minute."""
        self._minute = [at for at in self._minute if now - at <= _RATE_WINDOW_SECONDS]
        span = min(_RATE_WINDOW_SECONDS, max(now - self.since, 1.0))
        return round(len(self._minute) * 60.0 / span, 1)


def to_status(peer: Peer, now: float) -> WorkerStatus:
    """A row of the table of processes."""
    status, hello = peer.status, peer.hello
    return WorkerStatus(
        worker=hello.worker,
        role=hello.role,
        service=hello.service,
        pid=hello.pid,
        host=hello.host,
        state=_state(peer),
        engine=hello.engine,
        model=str(status.get("model", "")),
        message=_message(peer),
        in_flight=len(peer.leases),
        running=tuple(sorted(key for key, lease in peer.leases.items() if lease.running)),
        credit=peer.credit,
        pages_done=peer.pages_done,
        pages_a_minute=peer.pages_a_minute(now),
        heartbeat_age_seconds=round(max(0.0, now - peer.seen_at), 3),
        gpu=str(status.get("gpu", "")),
        gpu_available=bool(status.get("gpu_available", False)),
        model_loaded=bool(status.get("model_loaded", False)),
        rss_bytes=int(status.get("rss_bytes", 0)),
        uptime_seconds=round(now - peer.since, 1),
        capabilities=dict(hello.capabilities),
        degraded=bool(status.get("degraded", False)),
        gpu_number=status.get("gpu_number"),
        gpu_uuid=str(status.get("gpu_uuid", "")),
    )


def _state(peer: Peer) -> str:
    if peer.kill_asked:
        return HUNG
    return "blocked" if peer.blamed else str(peer.status.get("state", "ready"))


def _message(peer: Peer) -> str:
    if peer.kill_asked:
        return HUNG_SENTENCE
    return peer.blamed or str(peer.status.get("message", ""))
