"""MinerU 4 behind OCRBackend: several pages in hand, in a process of its own."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engines.mineru.blocks import parse_page
from engines.mineru.capabilities import AUTO, FLASH, VLM_TIERS, capabilities, pages_at_once
from engines.mineru.environment import Scratch, weights_folder
from engines.mineru.failures import DEAD, MEMORY, SERVER, WEIGHTS, verdict
from engines.mineru.flight import Flight
from engines.mineru.installed import Installed, look
from engines.mineru.room import Room
from engines.mineru.vlm_server import VlmServer
from shared.blocks import Block
from shared.errors import OutsideFailed, PageFailed
from shared.health import DEGRADED, HEALTHY, UNHEALTHY
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

if TYPE_CHECKING:
    from types import ModuleType

log = logging.getLogger(__name__)

_GLANCE_SECONDS = 0.02  # for the next page while others run and there is room
_TICK_SECONDS = 0.5  # between signs of life while there is no room
_PAGE_SECONDS = 120.0  # a page on the CPU takes up to ten; models are loaded in the first one's


class MinerUEngine(OCRBackend):
    """Flash needs no weights for sound text layers; scans and the other tiers do."""

    name = "mineru"
    version = "1"

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        del gpu  # CUDA_VISIBLE_DEVICES shows this process no other one
        self._settings = settings
        self._capabilities = capabilities(settings)
        self._weights = weights_folder(settings)
        self._reader: ModuleType | None = None
        self._scratch: Scratch | None = None
        self._server: VlmServer | None = None
        self._vlm: Any = None
        self._installed: Installed | None = None
        self._failure = ""

    @property
    def capabilities(self) -> Capabilities:
        """A one-page PDF, or pixels; several pages while others run."""
        return self._capabilities

    def load(self) -> None:
        """Import MinerU and look at what is here; its models are loaded by the first page.

        OutsideFailed: it is not installed in this interpreter, or a setting is wrong.
        """
        if self._reader is not None:
            return
        try:
            self._scratch = self._scratch or Scratch.open(self._settings, self._weights)
            from engines.mineru import reader  # noqa: PLC0415 - reads the environment once

            self._vlm = reader.vlm_config(self._settings)
            self._look()
        except ImportError as error:
            self._failure = (
                f"MinerU is not installed for {sys.executable} ({error}): run `bash "
                "deploy/engine.sh mineru` and set QUIRE_ENGINE_PYTHONS to what it prints."
            )
            raise OutsideFailed(self._failure, code="not_installed") from error
        except (OSError, ValueError) as error:
            self._failure = f"MinerU cannot start: {error}"
            raise OutsideFailed(self._failure, code="load_failed") from error
        if self._settings.mineru_vlm_url:
            self._server = VlmServer(self._settings)
            self._server.start()
        self._failure, self._reader = "", reader

    def health(self) -> EngineHealth:
        """Which tiers run, what the others lack, whether the VLM server answers."""
        here = self._installed
        if self._reader is None or here is None:
            message = self._failure or "MinerU is not loaded yet."
            return EngineHealth(UNHEALTHY, False, False, self.name, message)
        problems = []
        if here.missing[FLASH]:
            problems.append(f"Scans wait, only sound text layers are read: {here.missing[FLASH]}.")
        if self._server is not None and self._server.problem:
            problems.append(f"{self._server.problem} Pages of its tiers wait.")
        details = {
            "model": f"mineru {self._reader.VERSION} {here.default_tier}",
            "tiers": ", ".join(here.tiers),
            "small_models": here.small_models,
            "vlm": here.vlm,
            "weights": self._weights,
            **_gpu_memory(),
        }
        status = DEGRADED if problems else HEALTHY
        return EngineHealth(status, True, here.gpu, self.name, " ".join(problems), details)

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        """Keep as many pages with MinerU as it can use; yield each as it is done."""
        room = Room(pages_at_once(self._settings))
        flight = Flight(self._read, self._seconds_for)
        pages.set_capacity(room.pages)
        try:
            while len(flight) or not pages.closed:
                free = room.pages - len(flight)
                if free > 0 and not pages.closed:
                    wait = _GLANCE_SECONDS if len(flight) else None
                    for page in pages.take(free, wait):
                        flight.start(page)
                    done = flight.finished(0.0)
                else:
                    done = flight.finished(_TICK_SECONDS)
                if flight.moves:
                    progress()
                for key, answer in done:
                    yield key, answer
                    if room.changed(_ran_out(answer)):
                        pages.set_capacity(room.pages)
        finally:
            flight.close()

    async def _read(self, page: PageInput) -> Answer:
        """One page; never raises what is an answer."""
        if self._reader is None or self._installed is None:
            return OutsideFailed("MinerU is not loaded.", code="not_loaded")
        if page.media_type not in {PDF, RGB}:
            return PageFailed(f"The engine takes no {page.media_type}.", code="bad_media_type")
        tier = self._tier(page)
        if tier in VLM_TIERS and self._server is not None and self._server.problem:
            return OutsideFailed(self._server.problem, code=SERVER)
        lacks = self._installed.missing[tier]
        if lacks:  # they may have come since
            lacks = self._look().missing[tier]
        if tier in VLM_TIERS and lacks:
            return OutsideFailed(f"The tier {tier} cannot run: {lacks}.", code=WEIGHTS)
        try:
            async with asyncio.timeout(self._seconds_for(page)):
                output: Answer = await self._reader.read(
                    page, tier, self._vlm, without_models=bool(lacks)
                )
        except (PageFailed, OutsideFailed) as failed:
            return failed
        except Exception as error:  # noqa: BLE001 - whatever MinerU raises is about this page
            return self._verdict(error, tier, lacks)
        return output

    def _verdict(self, error: Exception, tier: str, lacks: str) -> Answer:
        answer = verdict(error, tier)
        if answer.code == WEIGHTS and lacks:
            return OutsideFailed(f"The page needs models: {lacks}.", code=WEIGHTS)
        if answer.code == SERVER and self._server is not None:
            self._server.report(str(answer))
        if answer.code == DEAD:
            from mineru.model.vlm.runtime import shutdown_cached_models  # noqa: PLC0415

            shutdown_cached_models()  # the next page starts it anew
        return answer

    def _tier(self, page: PageInput) -> str:
        asked = str(page.options.get("tier", AUTO))
        if asked != AUTO:
            return asked
        return self._installed.default_tier if self._installed else FLASH

    def _seconds_for(self, page: PageInput) -> float:
        """A page of the VLM tiers: layout, then all blocks at once, each with its longest wait."""
        if self._tier(page) in VLM_TIERS:
            return _PAGE_SECONDS + 2 * self._settings.mineru_vlm_seconds
        return _PAGE_SECONDS

    def _look(self) -> Installed:
        if self._scratch is not None:
            self._scratch.link_weights(self._weights)
        self._installed = look(self._settings, self._weights, gpu=_has_gpu())
        return self._installed

    def close(self) -> None:
        """Stop the VLM and the render workers, remove the private folder."""
        if self._server is not None:
            self._server.close()
        if self._reader is not None:
            from docvortex.document.pdf.render_session import (  # noqa: PLC0415
                shutdown_pdf_render_sessions,
            )
            from mineru.model.vlm.runtime import shutdown_cached_models  # noqa: PLC0415

            shutdown_cached_models()
            shutdown_pdf_render_sessions()
        if self._scratch is not None:
            self._scratch.close()
        self._reader = None

    @staticmethod
    def parse_raw(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks of a page from its middle JSON; needs no MinerU."""
        return parse_page(raw, options)


def _ran_out(answer: Answer) -> bool:
    return isinstance(answer, OutsideFailed) and answer.code == MEMORY


def _has_gpu() -> bool:
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def _gpu_memory() -> dict[str, str]:
    """What is taken of the GPU's memory, while a model of ours is on it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return {}
    free, total = torch.cuda.mem_get_info()
    gib = 1024**3
    return {
        "gpu": str(torch.cuda.get_device_name(0)),
        "gpu_memory": f"{(total - free) / gib:.1f} of {total / gib:.1f} GiB",
    }
