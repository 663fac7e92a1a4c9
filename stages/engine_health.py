"""What the bus is told of an engine: its own word on its health, asked again and again."""

import threading
from typing import Any

from bus.worker import Worker
from shared.health import DEGRADED
from shared.ocr_backend import OCRBackend


class HealthWatch:
    """Tells the worker's status, and every change of the engine's health while it works."""

    def __init__(self, engine: OCRBackend, worker: Worker, every_seconds: float) -> None:
        self._engine = engine
        self._worker = worker
        self._every_seconds = every_seconds
        self._lock = threading.Lock()
        self._state, self._why = "loading", f"{engine.name} is loading."
        self._told: dict[str, Any] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)

    def say(self, state: str, why: str = "") -> None:
        """The state is this now; `why` counts for more than what the engine says."""
        self._state, self._why = state, why
        self._tell()

    def start(self) -> None:
        """Ask the engine from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            status = self._status()
            if status != self._told:
                self._told = status
                self._worker.set_status(**status)

    def _status(self) -> dict[str, Any]:
        health = self._engine.health()
        return {
            "state": self._state,
            "message": self._why or health.message,
            "degraded": health.status == DEGRADED,
            "model_loaded": health.model_loaded,
            "gpu_available": health.gpu_available,
            "model": str(health.details.get("model", health.backend)),
            "gpu": str(health.details.get("gpu", "")),
        }
