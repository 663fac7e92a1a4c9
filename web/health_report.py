"""What /health, /health/{engine} and /api/v1/engines say, from the broker's newest table."""

import time
from typing import Any

from shared.health import DEGRADED, HEALTHY, UNHEALTHY, BusTable, WorkerStatus, status_of
from shared.settings import Settings, parse_engine
from web.engine_choice import EngineCatalogue

DISABLED = "disabled"  # an engine that nobody asked to start
_BACKENDS = {"deepseek": "deepseek-ocr"}  # where the documented name is not the engine's
_DOCUMENTED = ("deepseek", "mineru", "pymupdf")  # always there, whatever is started
_NEEDED_ROLES = ("split", "collect")
BROKER_AWAY = (
    "The broker does not answer: uploads are stored and wait, results stay readable. "
    "`quire up` restarts it; otherwise start `python -m deploy broker`."
)


class HealthReport:
    """The state of the service at one moment. `table` is None while the broker is away."""

    def __init__(
        self, settings: Settings, engines: EngineCatalogue, table: BusTable | None
    ) -> None:
        self._engines = engines
        self._table = table
        self._wanted = {parse_engine(text).name for text in settings.engines}

    def unified(self, store_status: str) -> dict[str, Any]:
        """`/health`: the documented keys first. Ready only when every part is."""
        engines = {name: self.engine(name)["status"] for name in self._names()}
        broker = HEALTHY if self._table is not None else UNHEALTHY
        roles = {role: self._role(role) for role in _NEEDED_ROLES}
        wanted = [state for state in engines.values() if state != DISABLED]
        parts = [broker, store_status, *roles.values()]
        if UNHEALTHY in (broker, store_status) or (wanted and set(wanted) == {UNHEALTHY}):
            status = UNHEALTHY
        elif set(parts) | set(wanted) <= {HEALTHY}:
            status = HEALTHY
        else:
            status = DEGRADED
        return {
            "status": status,
            **{f"{name}_status": state for name, state in engines.items()},
            "timestamp": int(time.time()),
            "broker": broker,
            "store": store_status,
            **roles,
            "message": BROKER_AWAY if self._table is None else "",
        }

    def engine(self, name: str) -> dict[str, Any]:
        """`/health/{engine}`: the documented keys first."""
        workers = self._workers(name)
        known = self._engines.capabilities(name)
        return {
            "status": self._engine_status(name, workers),
            "model_loaded": any(worker.model_loaded for worker in workers),
            "gpu_available": any(worker.gpu_available for worker in workers),
            "backend": str(known.get("backend") or _BACKENDS.get(name, name)),
            "timestamp": int(time.time()),
            "message": self._message(name, workers),
            "processes": len(workers),
        }

    def knows(self, name: str) -> bool:
        """Whether there is a health of this engine."""
        return name in self._names()

    def engines(self) -> list[dict[str, Any]]:
        """`/api/v1/engines`."""
        return [self._shown(name) for name in self._engines.names]

    def pages_a_minute(self) -> float:
        """The speed of all engines together, now."""
        workers = self._table.of_role("engine") if self._table else ()
        return sum(worker.pages_a_minute for worker in workers)

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*_DOCUMENTED, *self._engines.names)))

    def _workers(self, name: str) -> tuple[WorkerStatus, ...]:
        return self._table.of_engine(name) if self._table else ()

    def _role(self, role: str) -> str:
        return status_of(self._table.of_role(role)) if self._table else UNHEALTHY

    def _engine_status(self, name: str, workers: tuple[WorkerStatus, ...]) -> str:
        if workers or name in self._wanted:
            return status_of(workers)
        return DISABLED

    def _message(self, name: str, workers: tuple[WorkerStatus, ...]) -> str:
        if self._table is None:
            return BROKER_AWAY
        said = [worker.message for worker in workers if worker.message]
        if said:
            return said[0]
        if workers:
            states = {worker.state for worker in workers}
            return "" if states <= {"ready", "draining"} else f"{name} is {', '.join(states)}."
        if name in self._wanted:
            return f"No process of {name} has joined the bus yet."
        return f"{name} is not started here; QUIRE_ENGINES names the engines to start."

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
