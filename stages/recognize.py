"""The recognize stage: one process that hosts one engine."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import psutil
import zmq

from bus.worker import Worker
from engines.registry import make_engine
from shared.blocks import PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.ocr_backend import Answer, OCRBackend, PageBatch, PageFeed
from shared.page_codec import to_frames
from shared.routing import Route
from shared.settings import MIB, Settings
from stages.engine_health import HealthWatch, health_of
from stages.gate import Thresholds, judge
from stages.task_feed import Begun, TaskFeed
from stages.work import LEAVE_SECONDS, drain_on_signals

log = logging.getLogger(__name__)

OUT_OF_MEMORY = "It ran out of memory and starts anew; its pages are tried again, uncharged."
RELOAD_SECONDS = 15.0  # between tries to load an engine whose weights, GPU or memory is missing
WEIGH_SECONDS = 1.0  # between looks at the memory of this process


class Host:
    """Feeds one engine and answers for it."""

    def __init__(
        self, settings: Settings, engine: OCRBackend, worker: Worker, watch: HealthWatch
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._engine = engine
        self._worker = worker
        self._pages = 0
        self._loaded_bytes = 0
        self._limits = Thresholds.of(settings)
        self._process = psutil.Process()
        self._weigh_at = 0.0

    def run(self) -> None:
        """Until the worker drains or the process is due to be replaced."""
        if not self._load():
            return
        takes = self._engine.capabilities
        first = 1 if takes.concurrent else takes.batch
        while deliveries := self._worker.take(first):
            feed = TaskFeed(
                self._worker, deliveries, live=takes.concurrent, prefetch=takes.prefetch
            )
            self._recognize(feed)

    def _load(self) -> bool:
        """Make the engine ready, however long its cause takes to go away."""
        while not self._worker.draining:
            try:
                self._engine.load()
            except OutsideFailed as error:
                log.warning("%s cannot load: %s", self._engine.name, error)
                self._watch.say("blocked", str(error))
                self._worker.wait_drain(RELOAD_SECONDS)
            except Exception as error:
                # What it left half loaded is nobody's to close: a fresh process tries again.
                log.exception("%s cannot load", self._engine.name)
                reason = f"{type(error).__name__}: {error}"[:400].rstrip(".")
                sentence = f"{self._engine.name} failed to load ({reason}). Its log says more."
                self._watch.say("blocked", sentence)
                self._worker.wait_drain(RELOAD_SECONDS)
                raise
            else:
                self._loaded_bytes = self._process.memory_info().rss
                self._watch.say("ready")
                return True
        return False

    def _recognize(self, feed: TaskFeed) -> None:
        """Answer for all pages of the feed, whatever the engine does."""
        error = self._run(feed, feed)
        feed.begin_rest()
        if isinstance(error, PageFailed) and len(feed.open) > 1:
            for key, begun in list(feed.open.items()):  # alone, it shows whose fault it was
                own = self._run(feed, PageBatch([begun.page]))
                if key in feed.open:
                    self._answer(feed, key, own)
        for key in list(feed.open):
            self._answer(feed, key, error)

    def _run(self, feed: TaskFeed, pages: PageFeed) -> PageFailed | OutsideFailed:
        """Pass the engine's answers on; what to say of those pages that it gave none for."""
        try:
            for key, answer in self._engine.recognize(pages, self._worker.progress):
                if key in feed.open:
                    self._answer(feed, key, answer)
        except MemoryError:
            self._worker.set_status(message=OUT_OF_MEMORY)
            self._worker.drain()  # a fresh process has it all again
            return OutsideFailed("The engine ran out of memory.", code="out_of_memory")
        except OutsideFailed as failed:
            if failed.code == "gpu_failed":
                self._worker.set_status(message=str(failed))
                self._worker.drain()  # a CUDA context does not recover: a fresh process has one
            return failed
        except Exception as failed:
            log.exception("%s raised", self._engine.name)
            sentence = f"{self._engine.name} failed on this page: {type(failed).__name__}: {failed}"
            return PageFailed(sentence[:500], code="engine_error")
        return OutsideFailed(f"{self._engine.name} gave no answer.", code="no_answer")

    def _answer(self, feed: TaskFeed, key: str, answer: Answer) -> None:
        begun = feed.open.pop(key)
        task = begun.task
        header: dict[str, Any] = {
            "worker": self._worker.name,
            "milliseconds": round(_milliseconds(begun, answer), 1),
            "options": dict(task.header.get("options", {})),
            "route": dict(task.header.get("route", {})),
        }
        if isinstance(answer, PageOutput):
            header |= self._judged(answer, header["route"])
            self._worker.finish(task.key, task.lease, "done", header, to_frames(answer))
        else:
            header["reason"], header["reason_type"] = str(answer), answer.code
            outcome = "refused" if isinstance(answer, PageFailed) else "outside"
            self._worker.finish(task.key, task.lease, outcome, header)
        self._pages += 1
        if self._is_worn(feed) and not self._worker.draining:
            log.info("this process has done %d pages and starts anew", self._pages)
            self._worker.drain()

    def _judged(self, answer: PageOutput, route: Mapping[str, Any]) -> dict[str, str]:
        """What the quality gate finds; here, since engines are many and the collector is one."""
        ink = Route.from_json(route, self._engine.name).ink
        found = judge(answer, ink, self._limits)
        return {"finding": found.kind, "reason": found.sentence} if found else {}

    def _is_worn(self, feed: TaskFeed) -> bool:
        """Engines grow with the pages they read; a fresh process between pages costs nothing."""
        most = self._settings.engine_max_pages
        if self._pages >= most and not self._engine.capabilities.lasting:
            return True
        now = time.monotonic()
        if now < self._weigh_at:
            return False
        self._weigh_at = now + WEIGH_SECONDS
        # a large model on the CPU is no growth: half more than it took to load is
        limit = max(self._settings.engine_max_rss_mib * MIB, 1.5 * self._loaded_bytes)
        # nor are the pages in hand, hundreds of them on a large GPU
        limit += sum(len(begun.page.data) for begun in feed.open.values())
        return bool(self._process.memory_info().rss > limit)


def _milliseconds(begun: Begun, answer: Answer) -> float:
    """What the page took: what the engine says, since others may have run beside it."""
    since = 1000 * (time.perf_counter() - begun.at)
    return answer.timings.get("total", since) if isinstance(answer, PageOutput) else since


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
            "backend": health_of(engine).backend,
            "options": [asdict(option) for option in takes.options],
        },
    )
    drain_on_signals(worker)
    watch = HealthWatch(engine, worker, settings.heartbeat_seconds, gpu)
    watch.say("loading", f"{engine_name} is loading.")
    worker.start()
    watch.start()
    try:
        Host(settings, engine, worker, watch).run()
    finally:
        watch.stop()
        engine.close()
        worker.leave(LEAVE_SECONDS)
        context.term()
