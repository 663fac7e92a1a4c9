"""The recognize stage: one process that hosts one engine."""

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import psutil
import zmq

from bus.worker import Delivery, Worker
from engines.registry import make_engine
from shared.blocks import PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.messages import Task
from shared.ocr_backend import Answer, OCRBackend, PageInput
from shared.page_codec import to_frames
from shared.settings import MIB, Settings
from stages.work import LEAVE_SECONDS, drain_on_signals

log = logging.getLogger(__name__)

RELOAD_SECONDS = 15.0  # between tries to load an engine whose weights, GPU or memory is missing


class Host:
    """Feeds one engine and answers for it."""

    def __init__(self, settings: Settings, engine: OCRBackend, worker: Worker) -> None:
        self._settings = settings
        self._engine = engine
        self._worker = worker
        self._pages = 0

    def run(self) -> None:
        """Until the worker drains or the process is due to be replaced."""
        if not self._load():
            return
        batch = self._engine.capabilities.batch
        while deliveries := self._worker.take(batch):
            self._recognize(deliveries)
            if self._is_worn():
                log.info("this process has done %d pages and starts anew", self._pages)
                self._worker.drain()

    def _load(self) -> bool:
        """Make the engine ready, however long its cause takes to go away."""
        while not self._worker.draining:
            try:
                self._engine.load()
            except OutsideFailed as error:
                log.warning("%s cannot load: %s", self._engine.name, error)
                self._say("blocked", str(error))
                self._worker.wait_drain(RELOAD_SECONDS)
            else:
                self._say("ready", "")
                return True
        return False

    def _recognize(self, deliveries: list[Delivery]) -> None:
        tasks = {d.message.key: d.message for d in deliveries if isinstance(d.message, Task)}
        pages = [self._input(delivery) for delivery in deliveries]
        for task in tasks.values():
            self._worker.begin(task)
        started = _milliseconds()
        for key, answer in self._answers(pages):
            task = tasks.pop(key)
            self._answer(task, answer, (_milliseconds() - started) / len(deliveries))
        for task in tasks.values():
            missing = OutsideFailed(f"{self._engine.name} gave no answer.", code="no_answer")
            self._answer(task, missing, 0.0)

    def _answers(self, pages: list[PageInput]) -> Iterator[tuple[str, Answer]]:
        """The engine's answers; what it raises instead is an answer for all that are left."""
        left = {page.key for page in pages}
        try:
            for key, answer in self._engine.recognize(pages, self._worker.progress):
                if key in left:
                    left.discard(key)
                    yield key, answer
        except MemoryError:
            error: Answer = OutsideFailed("The engine ran out of memory.", code="out_of_memory")
            self._worker.drain()  # a fresh process has it all again
        except OutsideFailed as failed:
            error = failed
        except Exception as failed:
            log.exception("%s raised", self._engine.name)
            sentence = f"{self._engine.name} failed on this page: {type(failed).__name__}: {failed}"
            error = PageFailed(sentence[:500], code="engine_error")
        else:
            return
        for key in left:
            yield key, error

    def _answer(self, task: Task, answer: Answer, milliseconds: float) -> None:
        header: dict[str, Any] = {
            "worker": self._worker.name,
            "milliseconds": round(milliseconds, 1),
            "options": dict(task.header.get("options", {})),
        }
        self._pages += 1
        if isinstance(answer, PageOutput):
            self._worker.finish(task.key, task.lease, "done", header, to_frames(answer))
            return
        header["reason"], header["reason_type"] = str(answer), answer.code
        outcome = "refused" if isinstance(answer, PageFailed) else "outside"
        self._worker.finish(task.key, task.lease, outcome, header)

    def _say(self, state: str, message: str) -> None:
        health = self._engine.health()
        self._worker.set_status(
            state=state,
            message=message or health.message,
            model_loaded=health.model_loaded,
            gpu_available=health.gpu_available,
            model=str(health.details.get("model", health.backend)),
            details={name: str(value) for name, value in health.details.items()},
        )

    def _is_worn(self) -> bool:
        """Engines grow with the pages they read; a fresh process between pages costs nothing."""
        if self._pages >= self._settings.engine_max_pages:
            return True
        return bool(psutil.Process().memory_info().rss > self._settings.engine_max_rss_mib * MIB)

    @staticmethod
    def _input(delivery: Delivery) -> PageInput:
        task = delivery.message
        assert isinstance(task, Task)
        header = task.header
        return PageInput(
            key=task.key,
            media_type=str(header.get("media_type", "")),
            data=delivery.payload[0] if delivery.payload else b"",
            width=int(header.get("width", 0)),
            height=int(header.get("height", 0)),
            dpi=float(header.get("dpi", 0.0)),
            page=int(header.get("page", 1)),
            options=dict(header.get("options", {})),
        )


def _milliseconds() -> float:
    return time.perf_counter() * 1000


def serve(settings: Settings, engine_name: str, gpu: int | None) -> None:
    """Run one engine process until SIGTERM or SIGINT, or until it is due to be replaced."""
    engine = make_engine(engine_name, settings, gpu)
    takes = engine.capabilities
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    worker = Worker(
        context,
        settings,
        role="engine",
        service=f"recognize.{engine_name}",
        credit=takes.batch + takes.prefetch,
        engine=engine_name,
        capabilities={
            "accepts": list(takes.accepts),
            "dpi": takes.dpi,
            "batch": takes.batch,
            "backend": engine.health().backend,
            "options": [asdict(option) for option in takes.options],
        },
    )
    drain_on_signals(worker)
    worker.set_status(state="loading", message=f"{engine_name} is loading.")
    worker.start()
    try:
        Host(settings, engine, worker).run()
    finally:
        engine.close()
        worker.leave(LEAVE_SECONDS)
        context.term()
