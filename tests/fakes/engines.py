"""Engines for tests: quick, and some that fail on purpose. Named by `QUIRE_ENGINE_CLASSES`."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pymupdf

from shared.blocks import Block, BlockType, PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.ocr_backend import (
    PDF,
    Answer,
    Capabilities,
    EngineHealth,
    EngineOption,
    OCRBackend,
    PageFeed,
)
from shared.settings import Settings


class TextEngine(OCRBackend):
    """Says the text layer of the page as one block; words in it make it fail on purpose.

    CRASH kills the process, HANG stands still, REFUSE refuses, OUTSIDE fails from outside once
    per process, SLOW moves for two seconds.
    """

    name = "text"
    version = "1"

    def __init__(self, _settings: Settings, _gpu: int | None) -> None:
        self._loaded = False
        self._failed_outside = False
        self._nap = float(os.environ.get("QUIRE_TEST_NAP_SECONDS", "0"))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(accepts=(PDF,))

    def load(self) -> None:
        self._loaded = True

    def health(self) -> EngineHealth:
        status = "healthy" if self._loaded else "unhealthy"
        return EngineHealth(status, self._loaded, gpu_available=False, backend="text")

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        for page in pages:
            document = pymupdf.open(stream=bytes(page.data), filetype="pdf")
            text = document[0].get_text().strip()
            document.close()
            if self._nap:
                time.sleep(self._nap)
            yield page.key, self._answer(text, progress)

    def _answer(self, text: str, progress: Callable[[], None]) -> Answer:
        words = set(text.split())
        if "CRASH" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        if "HANG" in words:
            time.sleep(3600)
        if "REFUSE" in words:
            return PageFailed("The page says REFUSE.", code="refused")
        if "OUTSIDE" in words and not self._failed_outside:
            self._failed_outside = True
            return OutsideFailed("The weather is bad.", code="weather")
        if "SLOW" in words:
            for _ in range(20):
                time.sleep(0.1)
                progress()
        raw = self.raw_of(text)
        return PageOutput(self.parse_raw(raw, {}), raw, width=595, height=842, source="text_layer")

    @staticmethod
    def raw_of(text: str) -> bytes:
        return json.dumps({"text": text}).encode()

    @staticmethod
    def parse_raw(raw: bytes, _options: Mapping[str, Any]) -> tuple[Block, ...]:
        text = json.loads(raw)["text"]
        if not text:
            return ()
        return (Block(BlockType.TEXT, 0, (0.1, 0.1, 0.9, 0.2), text, engine="text"),)

    def close(self) -> None:
        self._loaded = False


class OtherEngine(TextEngine):
    """Reads as `TextEngine` does, but takes every "o" for a zero."""

    name = "other"

    @staticmethod
    def raw_of(text: str) -> bytes:
        return json.dumps({"text": text.replace("o", "0")}).encode()


class BetterEngine(TextEngine):
    """Reads a page like a model: says its text, also hidden, and fails as models do.

    On a page without text it invents some. LOOP repeats itself, LOOPCOLD only at temperature 0,
    EMPTY sees nothing, CUT ends in the middle. While the file that `QUIRE_TEST_DOWN` names
    exists, it does not load.
    """

    name = "better"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            accepts=(PDF,),
            options=(
                EngineOption("temperature", "float", 0.0, "Sampling."),
                EngineOption("prompt", "str", "plain", "Prompt."),
            ),
            retry_options=(("sampling", {"temperature": 0.2}), ("prompt", {"prompt": "free"})),
        )

    def load(self) -> None:
        down = os.environ.get("QUIRE_TEST_DOWN", "")
        if down and os.path.exists(down):  # noqa: PTH110
            raise OutsideFailed("The weights are gone.", code="no_weights")
        super().load()

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        for page in pages:
            with pymupdf.open(stream=bytes(page.data), filetype="pdf") as document:
                text = document[0].get_text().strip()
            time.sleep(self._nap)
            words = set(text.split())
            if words & {"CRASH", "REFUSE"}:
                yield page.key, self._answer(text, progress)
                continue
            stop, said = "stop", f"better read {text}" if text else "The Art of War"
            cold = not page.options.get("temperature")
            if "LOOP" in words or ("LOOPCOLD" in words and cold):
                said += " and so on" * 100
            elif "EMPTY" in words:
                said = ""
            elif "CUT" in words:
                stop = "length"
            raw = json.dumps({"text": said}).encode()
            blocks = self.parse_raw(raw, {})
            yield (
                page.key,
                PageOutput(blocks, raw, width=595, height=842, source="model", finish_reason=stop),
            )
