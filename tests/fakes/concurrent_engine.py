"""An engine that reads several pages at once and answers the one that came last first."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pymupdf

from shared.blocks import Block, PageOutput
from shared.errors import PageFailed
from shared.ocr_backend import (
    PDF,
    Answer,
    Capabilities,
    EngineHealth,
    OCRBackend,
    PageFeed,
    PageInput,
)
from shared.settings import Settings
from tests.fakes.engines import TextEngine

AT_ONCE = 4


class ConcurrentEngine(OCRBackend):
    """Holds up to four pages and says with each how many it held; RAISE in one makes it raise.

    It tells the capacity of four only once it has begun: its Hello promises one.
    """

    name = "concurrent"
    version = "1"

    def __init__(self, _settings: Settings, _gpu: int | None) -> None:
        self._loaded = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(accepts=(PDF,), batch=1, prefetch=0, concurrent=True)

    def load(self) -> None:
        self._loaded = True

    def health(self) -> EngineHealth:
        status = "healthy" if self._loaded else "unhealthy"
        return EngineHealth(status, self._loaded, gpu_available=False, backend="concurrent")

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        held: list[PageInput] = []
        pages.set_capacity(AT_ONCE)
        while held or not pages.closed:
            while len(held) < AT_ONCE:
                taken = pages.take(1, 0.2 if held else None)
                if not taken:
                    break
                held += taken
            if held:
                progress()
                count = len(held)
                yield held[-1].key, self._answer(held[-1], count)
                held.pop()

    def _answer(self, page: PageInput, held: int) -> Answer:
        document = pymupdf.open(stream=bytes(page.data), filetype="pdf")
        text = document[0].get_text().strip()
        document.close()
        if "RAISE" in text:
            raise ValueError(text)
        if "REFUSE" in text:
            return PageFailed("The page says REFUSE.", code="refused")
        raw = TextEngine.raw_of(f"{text} held {held}")
        return PageOutput(self.parse_raw(raw, {}), raw, width=595, height=842, source="text_layer")

    @staticmethod
    def parse_raw(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
        return TextEngine.parse_raw(raw, options)

    def close(self) -> None:
        self._loaded = False


class LastingEngine(ConcurrentEngine):
    """The same, said not to wear out with its pages."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, lasting=True)
