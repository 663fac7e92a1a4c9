"""What the bus is told of an engine: its own word on its health, asked again and again."""

import logging
import threading
from typing import Any

from bus.worker import Worker
from shared.health import DEGRADED
from shared.ocr_backend import EngineHealth, OCRBackend

log = logging.getLogger(__name__)

STOP_SECONDS = 1.0  # for an answer of the engine that is under way


class HealthWatch:
    """Tells the worker's status, and every change of the engine's health while it works.

    `gpu` is the number of the GPU that this process was given, if any.
    """

    def __init__(
        self,
        engine: OCRBackend,
        worker: Worker,
        every_seconds: float,
        gpu: int | None = None,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._every_seconds = every_seconds
        self._gpu = gpu
        self._lock = threading.Lock()
        self._state, self._why = "loading", f"{engine.name} is loading."
        self._told: dict[str, Any] = {}
        self._asked = self._heard = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)

    def say(self, state: str, why: str = "") -> None:
        """The state is this now; `why` counts for more than what the engine says."""
        with self._lock:
            self._state, self._why = state, why
        self._tell()

    def start(self) -> None:
        """Ask the engine from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _watch(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self._tell()

    def _tell(self) -> None:
        """Ask without the lock: an engine that does not answer holds up nobody but the asker."""
        with self._lock:
            self._asked += 1
            asked = self._asked
        health = health_of(self._engine)
        with self._lock:
            if asked < self._heard:
                return  # somebody who asked later has told already
            self._heard = asked
            status = self._status(health)
            if status != self._told:
                self._told = status
                self._worker.set_status(**status)

    def _status(self, health: EngineHealth) -> dict[str, Any]:
        return {
            "state": self._state,
            "message": self._why or health.message,
            "degraded": health.status == DEGRADED,
            "model_loaded": health.model_loaded,
            "gpu_available": health.gpu_available,
            "model": str(health.details.get("model", health.backend)),
            "gpu": str(health.details.get("gpu", "")),
            "gpu_number": self._gpu,
            "gpu_uuid": str(health.details.get("gpu_uuid", "")),
        }


def health_of(engine: OCRBackend) -> EngineHealth:
    """What the engine says of itself; an engine that fails to is degraded, and says so."""
    try:
        return engine.health()
    except Exception as error:
        log.exception("%s cannot say how it is", engine.name)
        sentence = f"{engine.name} cannot say how it is: {type(error).__name__}: {error}"
        return EngineHealth(
            DEGRADED, model_loaded=False, gpu_available=False, backend="", message=sentence[:500]
        )
