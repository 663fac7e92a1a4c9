"""What /health, /health/{engine} and /api/v1/engines say, from the broker's newest table."""

import time
from typing import Any

from shared.health import HEALTHY, UNHEALTHY, BusTable, WorkerStatus, status_of
from shared.settings import Settings, parse_engine
from web.engine_choice import EngineCatalogue
from web.problems import (
    BROKER_AWAY,
    NEEDED_ROLES,
    Problem,
    broker_problems,
    disk_problems,
    engine_problems,
    overall,
    role_problems,
    store_problems,
    worst_message,
)

DISABLED = "disabled"  # an engine that nobody asked to start
_BACKENDS = {"deepseek": "deepseek-ocr"}  # where the documented name is not the engine's
_DOCUMENTED = ("deepseek", "mineru", "pymupdf")  # always there, whatever is started


class HealthReport:
    """The state of the service at one moment. `table` is None while the broker is away."""

    def __init__(
        self,
        settings: Settings,
        engines: EngineCatalogue,
        table: BusTable | None,
        *,
        broker_anew_seconds: float,
        free_bytes: int,
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._table = table
        self._broker_anew_seconds = broker_anew_seconds
        self._free_bytes = free_bytes
        self._wanted = {parse_engine(text).name for text in settings.engines}

    def unified(self, store_status: str) -> dict[str, Any]:
        """`/health`: the documented keys first."""
        engines = self._engine_states()
        problems = self.problems(store_status)
        parts = {problem.part: problem.status for problem in problems}
        named = ("broker", *NEEDED_ROLES)
        return {
            "status": overall(problems, [s for s, _ in engines.values() if s != DISABLED]),
            **{f"{name}_status": state for name, (state, _) in engines.items()},
            "timestamp": int(time.time()),
            **{part: self._part(part, parts) for part in named},
            "store": store_status,
            "disk": parts.get("disk", HEALTHY),
            "message": problems[0].message if problems else "",
            "problems": [problem.to_json() for problem in problems],
            "refused_handshakes": int(self._counter("refused_handshakes")),
        }

    def engine(self, name: str, store_status: str = HEALTHY) -> dict[str, Any]:
        """`/health/{engine}`: the documented keys first; `problems` are those around the engine."""
        workers = self._workers(name)
        known = self._engines.capabilities(name)
        around = self._service_problems(store_status)
        return {
            "status": self._engine_status(name, workers),
            "model_loaded": any(worker.model_loaded for worker in workers),
            "gpu_available": any(worker.gpu_available for worker in workers),
            "backend": str(known.get("backend") or _BACKENDS.get(name, name)),
            "timestamp": int(time.time()),
            "message": self._message(name, workers),
            "processes": len(workers),
            "problems": [problem.to_json() for problem in around],
        }

    def problems(self, store_status: str) -> list[Problem]:
        """All that is wrong now, the worst first."""
        engines = engine_problems(self._engine_states()) if self._table is not None else ()
        found = [*self._service_problems(store_status), *engines]
        return sorted(found, key=lambda problem: problem.status != UNHEALTHY)

    def knows(self, name: str) -> bool:
        """Whether there is a health of this engine."""
        return name in self._names()

    def engines(self) -> list[dict[str, Any]]:
        """`/api/v1/engines`: those that a job may name, then those that are not started."""
        return [self._shown(name) for name in (*self._engines.names, *self._engines.not_started)]

    def pages_a_minute(self) -> float:
        """The speed of all engines together, now."""
        workers = self._table.of_role("engine") if self._table else ()
        return sum(worker.pages_a_minute for worker in workers)

    def _service_problems(self, store_status: str) -> list[Problem]:
        return [
            *store_problems(store_status),
            *broker_problems(self._table, self._broker_anew_seconds),
            *(role_problems(self._table) if self._table is not None else ()),
            *disk_problems(self._settings, self._free_bytes),
        ]

    def _part(self, part: str, problems: dict[str, str]) -> str:
        """A part of the service in one word; nobody knows of the others without a broker."""
        if self._table is None:
            return UNHEALTHY
        return problems.get(part, HEALTHY)

    def _counter(self, name: str) -> float:
        return self._table.counters.get(name, 0) if self._table else 0

    def _names(self) -> tuple[str, ...]:
        known = self._engines
        return tuple(dict.fromkeys((*_DOCUMENTED, *known.names, *known.not_started)))

    def _workers(self, name: str) -> tuple[WorkerStatus, ...]:
        return self._table.of_engine(name) if self._table else ()

    def _engine_states(self) -> dict[str, tuple[str, str]]:
        states = {}
        for name in self._names():
            workers = self._workers(name)
            states[name] = self._engine_status(name, workers), self._message(name, workers)
        return states

    def _engine_status(self, name: str, workers: tuple[WorkerStatus, ...]) -> str:
        if workers or name in self._wanted:
            return status_of(workers)
        return DISABLED

    def _message(self, name: str, workers: tuple[WorkerStatus, ...]) -> str:
        if name in self._engines.not_started:
            return self._engines.how_to_start(name)
        if self._table is None:
            return BROKER_AWAY
        if workers:
            said = next((worker.message for worker in workers if worker.message), "")
            return worst_message(name, workers) or said
        if name in self._wanted:
            return f"No process of {name} has joined the bus yet; its log says why."
        return self._engines.how_to_start(name)

    def _shown(self, name: str) -> dict[str, Any]:
        workers = self._workers(name)
        known = self._engines.capabilities(name)
        queue = dict(self._table.queues.get(f"recognize.{name}", {})) if self._table else {}
        health = self.engine(name)
        return {
            "name": name,
            "status": health["status"],
            "message": health["message"],
            "processes": len(workers),
            "model": next((worker.model for worker in workers if worker.model), ""),
            "model_loaded": health["model_loaded"],
            "gpu_available": health["gpu_available"],
            "backend": health["backend"],
            "accepts": list(known.get("accepts", ())),
            "options": (
                None if (options := self._engines.options(name)) is None else list(options.values())
            ),
            "queue": {key: int(queue.get(key, 0)) for key in ("pages", "jobs", "bytes")},
            "in_flight": sum(worker.in_flight for worker in workers),
            "pages_done": sum(worker.pages_done for worker in workers),
            "pages_a_minute": round(sum(worker.pages_a_minute for worker in workers), 1),
        }
