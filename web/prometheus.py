"""Metrics in the text format of Prometheus, version 0.0.4.

Source: the exposition format's own description (HELP, TYPE, then samples; backslash, quote and
newline escaped in label values).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.health import DEGRADED, GAUGES, HEALTHY, UNHEALTHY, BusTable

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_GAUGES = {
    "jobs_open": "Open jobs that the broker knows.",
    "answers_waiting": "Answers that collect has not committed.",
    "answers_waiting_seconds": "Time since the last commit while answers wait.",
}

Labels = Mapping[str, str]


@dataclass(slots=True)
class Metric:
    """One metric and its samples. `kind` is gauge or counter."""

    name: str
    kind: str
    help: str
    samples: list[tuple[Labels, float]] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> "Metric":
        """Add a sample."""
        self.samples.append((labels, value))
        return self


def exposition(metrics: Iterable[Metric]) -> str:
    """The metrics as text; those without samples are left out."""
    lines: list[str] = []
    for metric in metrics:
        if not metric.samples:
            continue
        help_text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
        lines += [f"# HELP {metric.name} {help_text}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.samples:
            lines.append(f"{metric.name}{_labels(labels)} {_number(value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """All digits: a counter that is rounded moves in steps."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def bus_metrics(table: BusTable | None, age_seconds: float) -> list[Metric]:
    """What the broker's table says; only that it is away while it is None."""
    up = Metric("quire_broker_up", "gauge", "1 while the broker's table is fresh.")
    up.add(1 if table else 0)
    if table is None:
        return [up]
    age = Metric("quire_broker_table_age_seconds", "gauge", "Age of the broker's newest table.")
    queued = Metric("quire_queue_pages", "gauge", "Pages that wait in the broker, by service.")
    size = Metric("quire_queue_bytes", "gauge", "Payload that waits in the broker, by service.")
    for service, queue in sorted(table.queues.items()):
        queued.add(queue.get("pages", 0), service=service)
        size.add(queue.get("bytes", 0), service=service)
    events = Metric("quire_bus_events_total", "counter", "What the broker counted since it began.")
    for name, count in sorted(table.counters.items()):
        if name not in GAUGES:
            events.add(count, event=name)
    gauges = [
        Metric(f"quire_broker_{name}", "gauge", help_text).add(table.counters[name])
        for name, help_text in _GAUGES.items()
        if name in table.counters
    ]
    return [up, age.add(age_seconds), queued, size, *gauges, events, *_worker_metrics(table)]


def _worker_metrics(table: BusTable) -> list[Metric]:
    ready = Metric("quire_worker_ready", "gauge", "1 for a process that takes work.")
    state = Metric("quire_worker_state", "gauge", "1 for the state that a process is in.")
    done = Metric("quire_worker_pages_done_total", "counter", "Pages that a process has finished.")
    held = Metric("quire_worker_in_flight", "gauge", "Pages that a process holds.")
    speed = Metric("quire_worker_pages_a_minute", "gauge", "Speed of a process, lately.")
    memory = Metric("quire_worker_resident_bytes", "gauge", "Resident memory of a process.")
    silent = Metric("quire_worker_heartbeat_age_seconds", "gauge", "Time since its last sign.")
    for worker in table.workers:
        labels = {"worker": worker.worker, "service": worker.service}
        ready.add(1 if worker.state == "ready" else 0, **labels)
        state.add(1, **labels, state=worker.state)
        done.add(worker.pages_done, **labels)
        held.add(worker.in_flight, **labels)
        speed.add(worker.pages_a_minute, **labels)
        memory.add(worker.rss_bytes, **labels)
        silent.add(worker.heartbeat_age_seconds, **labels)
    return [ready, state, done, held, speed, memory, silent]


def health_metrics(
    status: str, problems: Iterable[Mapping[str, str]], free_bytes: int
) -> list[Metric]:
    """Health as a whole, and what is wrong."""
    whole = Metric("quire_health", "gauge", "1 for the status that the service is in.")
    for each in (HEALTHY, DEGRADED, UNHEALTHY):
        whole.add(1 if each == status else 0, status=each)
    wrong = Metric("quire_problem", "gauge", "1 for a part that is not healthy.")
    for part, how in {problem["part"]: problem["status"] for problem in problems}.items():
        wrong.add(1, part=part, status=how)
    free = Metric("quire_disk_free_bytes", "gauge", "Free on the disk of the data directory.")
    return [whole, wrong, free.add(free_bytes)]


def engine_metrics(states: Mapping[str, str]) -> Metric:
    """Health by engine."""
    metric = Metric("quire_engine_healthy", "gauge", "1 for an engine that is healthy.")
    for name, state in states.items():
        metric.add(1 if state == HEALTHY else 0, engine=name)
    return metric


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escape(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
