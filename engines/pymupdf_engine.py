"""The CPU engine: sound text layers, PP-OCRv6 elsewhere, PyMuPDF's layout for both."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engines.capabilities import CAPABILITIES
from shared.blocks import Block, PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.health import HEALTHY, UNHEALTHY
from shared.ocr_backend import (
    PDF,
    RGB,
    Answer,
    Capabilities,
    EngineHealth,
    OCRBackend,
    PageFeed,
    PageInput,
)
from shared.settings import Settings
from shared.text_lines import TextLine


class PyMuPDFEngine(OCRBackend):
    """Needs no GPU and no weights beside those in its packages."""

    name = "pymupdf"
    version = "1"

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        del gpu  # runs on the CPU
        self._settings = settings
        self._page_reader: Any = None
        self._failure = ""

    @property
    def capabilities(self) -> Capabilities:
        """A one-page PDF, or pixels; one page at a time."""
        return CAPABILITIES

    def load(self) -> None:
        """Load all models. OutsideFailed says which package or setting is at fault."""
        if self._page_reader is not None:
            return
        from engines.page_reader import PageReader  # noqa: PLC0415 - loads PyMuPDF and OpenCV

        try:
            self._page_reader = PageReader.open(self._settings)
        except OutsideFailed as error:
            self._failure = str(error)
            raise
        except (ImportError, OSError, RuntimeError) as error:
            self._failure = f"The models cannot be loaded: {error}"
            raise OutsideFailed(self._failure, code="load_failed") from error
        self._failure = ""

    def health(self) -> EngineHealth:
        """Whether the models are loaded, and with which runtime and precision."""
        reader = self._page_reader
        if reader is None:
            message = self._failure or "The models are not loaded yet."
            return EngineHealth(UNHEALTHY, False, False, "pymupdf", message)
        return EngineHealth(HEALTHY, True, False, "pymupdf", details=reader.details)

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        """Yield (key, answer) for each page, in order."""
        for page in pages:
            yield page.key, self._answer(page, progress)

    def _answer(self, page: PageInput, progress: Callable[[], None]) -> Answer:
        if self._page_reader is None:
            return OutsideFailed("The models are not loaded.", code="not_loaded")
        if page.media_type not in {PDF, RGB}:
            return PageFailed(f"The engine takes no {page.media_type}.", code="bad_media_type")
        started = time.perf_counter()
        try:
            output: PageOutput = self._page_reader.read(page, progress)
        except PageFailed as failed:
            return failed
        except MemoryError:
            return OutsideFailed("There was no memory left for the page.", code="out_of_memory")
        output.timings["total"] = 1000 * (time.perf_counter() - started)
        return output

    def close(self) -> None:
        """Free the models."""
        self._page_reader = None

    @staticmethod
    def parse_raw(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks of a page from its raw output."""
        from engines.raw_page import parse_page  # noqa: PLC0415

        return parse_page(raw, options)

    @staticmethod
    def text_lines(raw: bytes) -> tuple[TextLine, ...]:
        """The lines of a page from its raw output, in reading order."""
        from engines.raw_page import lines_of  # noqa: PLC0415

        return lines_of(raw)
