"""The table of processes that the broker folds from heartbeats, and the rules of health."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
SILENT, LOST, HUNG = "silent", "lost", "hung"
DRAINING = "It finishes what it has and takes no more; then it ends, and starts anew if it should."
ABSENT = frozenset({SILENT, LOST, "starting", "restarting"})  # states of who is not on the bus
SILENT_PART = 2 / 3  # of the silence that ends a lease: health says it before that


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One process as the broker sees it.

    `role` is split, engine or collect; `service` is split, recognize.<engine> or collect;
    `state` is ready, loading, draining, blocked (cannot work; `message` says why), hung (it is
    ended, and the next in its place is not there yet), silent, lost, starting (runs, not on the
    bus yet) or restarting (ended, comes back).
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
    degraded: bool = False  # works, but not all of it: `message` says which pages wait, and why
    gpu_number: int | None = None  # the N of `:gpuN`, among the GPUs that this machine gave us
    gpu_uuid: str = ""  # which card that is, as `nvidia-smi -L` names it

    def to_json(self) -> dict[str, Any]:
        """The process as `/api/v1/workers` shows it."""
        return {**asdict(self), "running": list(self.running)}


GAUGES = frozenset({"jobs_open", "answers_waiting", "answers_waiting_seconds"})


@dataclass(frozen=True, slots=True)
class BusTable:
    """What the broker publishes each second: its epoch, its queues, its workers.

    `queues` maps a service to {"pages", "bytes", "jobs"} waiting in the broker. `counters` are
    totals since the broker started, but for `GAUGES`, which say how it is now. `time` is Unix
    seconds.
    """

    epoch: str
    time: float
    uptime_seconds: float
    workers: tuple[WorkerStatus, ...] = ()
    queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counters: Mapping[str, float] = field(default_factory=dict)

    def of_engine(self, engine: str) -> tuple[WorkerStatus, ...]:
        """The processes of one engine."""
        return tuple(w for w in self.workers if w.engine == engine and w.role == "engine")

    def of_role(self, role: str) -> tuple[WorkerStatus, ...]:
        """The processes of one role."""
        return tuple(w for w in self.workers if w.role == role)


def status_of(workers: Iterable[WorkerStatus]) -> str:
    """Healthy when all are ready for all their work; unhealthy when none works; degraded between.

    One that drains works, but takes no more: it is not healthy, and not nothing either.
    """
    listed = list(workers)
    states = [worker.state for worker in listed]
    if states and all(worker.state == "ready" and not worker.degraded for worker in listed):
        return HEALTHY
    return DEGRADED if {"ready", "draining"} & set(states) else UNHEALTHY


def as_of(table: BusTable, age_seconds: float, silent_seconds: float) -> BusTable:
    """The table so many seconds after it was made: who is silent since then is shown as that."""
    return replace(
        table, workers=tuple(_aged(worker, age_seconds, silent_seconds) for worker in table.workers)
    )


def _aged(worker: WorkerStatus, age_seconds: float, silent_seconds: float) -> WorkerStatus:
    if worker.role == "broker" or worker.state in ABSENT - {SILENT, LOST}:
        return worker
    age = round(worker.heartbeat_age_seconds + age_seconds, 3)
    if worker.state in ABSENT or age <= silent_seconds:
        return replace(worker, heartbeat_age_seconds=age)
    message = (
        f"It has said nothing for {age:.0f} s: it hangs, is stopped, or the network is cut. "
        "When that lasts, its pages go to others."
    )
    return replace(worker, state=SILENT, message=message, heartbeat_age_seconds=age)
