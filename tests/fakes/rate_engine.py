"""An engine that costs next to nothing, so that a bench measures what is around it."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.blocks import Block, BlockType, PageOutput
from shared.ocr_backend import (
    PDF,
    Answer,
    Capabilities,
    EngineHealth,
    OCRBackend,
    PageFeed,
)
from shared.settings import Settings

RUN_LOG = "QUIRE_TEST_RUN_LOG"  # a file that gets a line (key, pid, time) as each page begins


class RateEngine(OCRBackend):
    """Says how many bytes it was given; naps as long as the page's options say."""

    name = "rate"
    version = "1"

    def __init__(self, _settings: Settings, _gpu: int | None) -> None:
        self._log = os.environ.get(RUN_LOG, "")
        self._prefetch = int(os.environ.get("QUIRE_TEST_PREFETCH", "1"))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(accepts=(PDF,), prefetch=self._prefetch)

    def load(self) -> None:
        """Nothing to load."""

    def health(self) -> EngineHealth:
        return EngineHealth("healthy", model_loaded=True, gpu_available=False, backend="rate")

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        for page in pages:
            if self._log:
                with Path(self._log).open("ab", buffering=0) as file:
                    file.write(f"{page.key} {os.getpid()} {time.monotonic()}\n".encode())
            nap = float(page.options.get("nap", 0.0))
            if nap:
                time.sleep(nap)
            raw = str(len(page.data)).encode()
            yield page.key, PageOutput(self.parse_raw(raw, {}), raw, width=595, height=842)

    @staticmethod
    def parse_raw(raw: bytes, _options: Mapping[str, Any]) -> tuple[Block, ...]:
        return (Block(BlockType.TEXT, 0, (0.1, 0.1, 0.9, 0.2), raw.decode(), engine="rate"),)

    def close(self) -> None:
        """Nothing to free."""
