"""MinerU 4 behind OCRBackend: several pages in hand, in a process of its own."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engines.mineru.blocks import parse_page
from engines.mineru.capabilities import capabilities, documents_at_once
from engines.mineru.environment import Scratch, weights_folder
from engines.mineru.serving import serve
from engines.mineru.tiers import Tiers
from shared.blocks import Block
from shared.errors import OutsideFailed
from shared.health import DEGRADED, HEALTHY, UNHEALTHY
from shared.ocr_backend import Answer, Capabilities, EngineHealth, OCRBackend, PageFeed
from shared.settings import Settings


class MinerUEngine(OCRBackend):
    """Flash needs no weights for sound text layers; scans and the other tiers do."""

    name = "mineru"
    version = "1"

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        del gpu  # CUDA_VISIBLE_DEVICES shows this process no other one
        self._settings = settings
        self._capabilities = capabilities(settings)
        self._weights = weights_folder(settings)
        self._scratch: Scratch | None = None
        self._tiers: Tiers | None = None
        self._failure = ""

    @property
    def capabilities(self) -> Capabilities:
        """A one-page PDF, or pixels; several pages while others run."""
        return self._capabilities

    def load(self) -> None:
        """Import MinerU and look at what is here; its models are loaded by the first page.

        OutsideFailed: it is not installed in this interpreter, or a setting is wrong.
        """
        if self._tiers is not None:
            return
        try:
            self._scratch = self._scratch or Scratch.open(self._settings, self._weights)
            from engines.mineru import reader  # noqa: PLC0415 - MinerU reads its variables once

            self._tiers = Tiers(self._settings, self._scratch, reader)
        except ImportError as error:
            self._failure = (
                f"MinerU cannot be imported by {sys.executable} ({error}): run `bash "
                "deploy/engine.sh mineru` and set QUIRE_ENGINE_PYTHONS to what it prints."
            )
            raise OutsideFailed(self._failure, code="not_installed") from error
        except (OSError, ValueError) as error:
            self._failure = f"MinerU cannot start: {error}"
            raise OutsideFailed(self._failure, code="load_failed") from error
        self._failure = ""

    def health(self) -> EngineHealth:
        """Which tiers run, what the others lack, whether the VLM server answers."""
        tiers = self._tiers
        if tiers is None:
            message = self._failure or "MinerU is not loaded yet."
            return EngineHealth(UNHEALTHY, False, False, self.name, message)
        problems = tiers.problems()
        status = DEGRADED if problems else HEALTHY
        message = " ".join([*problems, *tiers.notes()])
        return EngineHealth(status, True, tiers.gpu, self.name, message, tiers.details())

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        """Keep MinerU at work; yield each page as it is done.

        MemoryError when even one page alone runs out of memory.
        """
        if self._tiers is None:
            raise OutsideFailed("MinerU is not loaded.", code="not_loaded")
        yield from serve(pages, self._tiers, documents_at_once(self._settings), progress)

    def close(self) -> None:
        """Stop the VLM and the render workers, remove the private folder."""
        if self._tiers is not None:
            self._tiers.close()
        if self._scratch is not None:
            self._scratch.close()
        self._tiers = None

    @staticmethod
    def parse_raw(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks of a page from its middle JSON; needs no MinerU."""
        return parse_page(raw, options)
