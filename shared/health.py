"""The table of processes that the broker folds from heartbeats, and the rules of health."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One process as the broker sees it.

    `role` is split, engine or collect; `service` is split, recognize.<engine> or collect;
    `state` is loading, ready, draining, blocked (cannot work; `message` says why), or lost.
    `running` holds the keys of pages being worked on, `in_flight` counts all that it has.
    """

    worker: str
    role: str
    service: str
    pid: int
    host: str
    state: str
    engine: str = ""
    model: str = ""
    message: str = ""
    in_flight: int = 0
    running: tuple[str, ...] = ()
    credit: int = 0
    pages_done: int = 0
    pages_a_minute: float = 0.0
    heartbeat_age_seconds: float = 0.0
    gpu: str = ""
    gpu_available: bool = False
    model_loaded: bool = False
    rss_bytes: int = 0
    uptime_seconds: float = 0.0
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The process as `/api/v1/workers` shows it."""
        return {**asdict(self), "running": list(self.running)}


@dataclass(frozen=True, slots=True)
class BusTable:
    """What the broker publishes each second: its epoch, its queues, its workers.

    `queues` maps a service to {"pages", "bytes", "jobs"} waiting in the broker. `counters` are
    totals since the broker started. `time` is Unix seconds.
    """

    epoch: str
    time: float
    uptime_seconds: float
    workers: tuple[WorkerStatus, ...] = ()
    queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)

    def of_engine(self, engine: str) -> tuple[WorkerStatus, ...]:
        """The processes of one engine."""
        return tuple(w for w in self.workers if w.engine == engine and w.role == "engine")

    def of_role(self, role: str) -> tuple[WorkerStatus, ...]:
        """The processes of one role."""
        return tuple(w for w in self.workers if w.role == role)


def status_of(workers: Iterable[WorkerStatus]) -> str:
    """Healthy when every process is ready, unhealthy when none is, degraded between."""
    states = [worker.state in {"ready", "draining"} for worker in workers]
    if states and all(states):
        return HEALTHY
    return DEGRADED if any(states) else UNHEALTHY
