"""DeepSeek-OCR and its relatives behind OCRBackend, whatever runs the model."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engines.deepseek.capabilities import CAPABILITIES
from engines.deepseek.choosing import ENDPOINT, make_runtime, runtimes_for, why_not_native
from engines.deepseek.output.raw_text import parse
from engines.deepseek.page_requests import Requests
from engines.deepseek.placement import gpu_is_there, gpu_uuid
from engines.deepseek.runtime import Generation, Outcome, Runtime
from shared.blocks import Block
from shared.errors import OutsideFailed
from shared.health import DEGRADED, HEALTHY, UNHEALTHY
from shared.ocr_backend import Answer, Capabilities, EngineHealth, OCRBackend, PageFeed
from shared.settings import Settings

NAME = "deepseek"
HEALTH_NAME = "deepseek-ocr"  # what /health has always called it
_FREE_TOKENS = ("<td>", "</td>")  # tables repeat their cells


class DeepSeekEngine(OCRBackend):
    """One model in this process, or a server that has it."""

    name = NAME
    version = "1"

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        del gpu  # CUDA_VISIBLE_DEVICES shows this process no other one
        self._settings = settings
        self._runtime: Runtime | None = None
        self._failure = ""
        self._note = ""  # why a slower runtime has the model
        self._gpu = False

    @property
    def capabilities(self) -> Capabilities:
        """Pixels; more pages while others run, as many as the runtime says that it can hold."""
        return CAPABILITIES

    def load(self) -> None:
        """Load the model with the first runtime that can, or reach the server.

        OutsideFailed says what is missing and what to do.
        """
        if self._runtime is not None:
            return
        self._gpu = self._settings.deepseek_device != "cpu" and gpu_is_there()
        names = runtimes_for(self._settings)
        self._note = why_not_native(self._settings)
        for name in names:
            runtime = make_runtime(name, self._settings)
            try:
                runtime.load()
            except OutsideFailed as failed:
                runtime.close()
                self._failure = self._note = str(failed)
                if failed.code != "not_native" or name == names[-1]:
                    raise
            else:
                self._runtime, self._failure = runtime, ""
                return

    def health(self) -> EngineHealth:
        """Which runtime has which model, or why none has; a server that is down says so."""
        runtime = self._runtime
        if runtime is None:
            message = self._failure or self._outlook()
            return EngineHealth(UNHEALTHY, False, self._gpu, HEALTH_NAME, message)
        trouble = runtime.trouble()
        details = {"runtime": runtime.name, **runtime.details()}
        if self._gpu and runtime.name != ENDPOINT:
            details["gpu"], details["gpu_uuid"] = details.get("device", ""), gpu_uuid()
        status = DEGRADED if trouble else HEALTHY
        message = trouble or self._note
        return EngineHealth(status, not trouble, self._gpu, HEALTH_NAME, message, details)

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        """Yield each page as it is done, until the feed is closed."""
        runtime = self._runtime
        if runtime is None:
            raise OutsideFailed("The model is not loaded.", code="not_loaded")
        requests = Requests(pages, lambda: runtime.ids_of(*_FREE_TOKENS))
        while not pages.closed:  # a runtime returns when a take gave it nothing to read
            for outcome in runtime.run(requests, progress):
                yield self._answer(requests, outcome)
                yield from self._refused(requests)
            yield from self._refused(requests)

    def close(self) -> None:
        """Free the model."""
        if self._runtime is not None:
            self._runtime.close()
        self._runtime = None

    def _outlook(self) -> str:
        """What can be said before anything was tried."""
        if not (self._settings.deepseek_model or self._settings.deepseek_url):
            return "Neither QUIRE_DEEPSEEK_MODEL nor QUIRE_DEEPSEEK_URL is set."
        return "The model is not loaded yet."

    def _answer(self, requests: Requests, outcome: Outcome) -> tuple[str, Answer]:
        if not isinstance(outcome, Generation):
            key, failure = outcome
            del requests.in_hand[key]
            return key, failure
        from engines.deepseek.page_output import page_output  # noqa: PLC0415 - decodes images

        assert self._runtime is not None
        started = time.perf_counter()
        model = str(self._runtime.details().get("model", ""))
        output = page_output(requests.in_hand.pop(outcome.key), outcome, model)
        output.timings["parse"] = 1000 * (time.perf_counter() - started)
        output.timings["total"] = sum(output.timings.values())
        return outcome.key, output

    @staticmethod
    def _refused(requests: Requests) -> Iterator[tuple[str, Answer]]:
        while requests.refused:
            yield requests.refused.pop(0)

    @staticmethod
    def parse_raw(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks of a page from its raw output."""
        return parse(raw, options)
