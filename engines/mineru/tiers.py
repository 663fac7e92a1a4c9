"""Reads pages in the tier that they ask for, as far as this machine has what that takes."""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from engines.mineru.capabilities import AUTO, FLASH, TIERS, VLM_TIERS
from engines.mineru.environment import Scratch
from engines.mineru.failures import BROKEN, DEAD, MEMORY, SERVER, WEIGHTS, verdict
from engines.mineru.installed import look
from engines.mineru.reading import Reading
from engines.mineru.vlm_server import VlmServer
from shared.blocks import PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.ocr_backend import PDF, RGB, Answer, PageInput
from shared.settings import Settings

_PAGE_SECONDS = 120.0  # a page on the CPU takes up to ten; the first one also loads the models
_MORE_SECONDS = 30.0  # for each page that is read with it
_LOOK_SECONDS = 2.0  # between looks for weights that are missing
_SHORT_SECONDS = 60.0  # that health tells of memory that ran out
_SHORT = (
    "Memory has run out: its pages are tried again, fewer of them at once. Give the engine more, "
    "or lower QUIRE_MINERU_PAGES."
)


class Tiers:
    """What is here to read with. `reader` is `engines.mineru.reader`, imported by now."""

    def __init__(self, settings: Settings, scratch: Scratch, reader: ModuleType) -> None:
        self._settings = settings
        self._scratch = scratch
        self._reader = reader
        self._vlm = reader.vlm_config(settings)
        self._waited_for: set[str] = set()  # tiers whose pages were sent back for want of weights
        self._looking = threading.Lock()  # pages and health ask from threads of their own
        self._looked_at = 0.0
        self._look()
        self._short_at = -_SHORT_SECONDS
        self._broken = ""
        self._seen: set[tuple[str, str]] = set()
        self._server = VlmServer(settings) if settings.mineru_vlm_url else None
        if self._server is not None:
            self._server.start()

    @property
    def gpu(self) -> bool:
        """Whether there is a GPU that MinerU can use."""
        return self._installed.gpu

    def problems(self) -> list[str]:
        """Sentences: which pages wait, why, and what to do."""
        self._look_again(_LOOK_SECONDS)
        found = []
        lacks = self._installed.lacks[FLASH]
        if lacks:
            found.append(f"Scans wait, only sound text layers are read. {lacks}")
        for names, text in self._tiers_without(waited_for=True):
            found.append(f"Pages of the tiers {names} wait. {text}")
        if self._server is not None and self._server.problem:
            found.append(f"{self._server.problem} Pages of its tiers wait.")
        if time.monotonic() - self._short_at < _SHORT_SECONDS:
            found.append(_SHORT)
        if self._broken:
            found.append(self._broken)
        return found

    def notes(self) -> list[str]:
        """Sentences: tiers that do not run, for which no page waits."""
        found = self._tiers_without(waited_for=False)
        return [f"The tiers {names} do not run. {text}" for names, text in found]

    def _tiers_without(self, *, waited_for: bool) -> list[tuple[str, str]]:
        """The names of tiers, beside flash, that lack the same, and what that is."""
        tiers_of: dict[str, list[str]] = {}
        for tier in TIERS:
            text = self._installed.lacks[tier]
            if tier != FLASH and text and (tier in self._waited_for) == waited_for:
                tiers_of.setdefault(text, []).append(tier)
        return [(", ".join(names), text) for text, names in tiers_of.items()]

    def details(self) -> dict[str, str]:
        """For health: what runs, where the weights are, how much of the GPU's memory is taken."""
        return {
            "model": f"mineru {self._reader.VERSION} {self._installed.default_tier}",
            "tiers": ", ".join(self._installed.tiers),
            "small_models": self._installed.small_models,
            "vlm": self._installed.vlm,
            "weights": str(self._scratch.weights),
            "gpu": _gpu(),
        }

    def seconds_for(self, readings: Sequence[Reading]) -> float:
        """A page of the VLM tiers: layout, then all blocks at once, each with its longest wait."""
        waits = 2 if readings[0].tier in VLM_TIERS else 0
        more = _MORE_SECONDS * (len(readings) - 1)
        return _PAGE_SECONDS + more + waits * self._settings.mineru_vlm_seconds

    def prepare(self, page: PageInput) -> Reading | Answer:
        """The page as MinerU is to read it, or the answer when there is no need to try."""
        tier = self._tier(page)
        refusal = self._refusal(page, tier)
        if refusal is not None:
            return refusal
        lacks = bool(self._installed.missing[tier])
        try:
            reading: Reading = self._reader.prepare(page, tier, without_models=lacks)
        except PageFailed as failed:
            return failed
        except Exception as error:  # noqa: BLE001 - whatever MinerU raises is about this page
            return self._verdict(error, tier)
        return reading

    async def read(self, readings: Sequence[Reading]) -> list[PageOutput]:
        """Read them as one document. PageFailed, OutsideFailed: that is the answer for them."""
        tier = readings[0].tier
        try:
            async with asyncio.timeout(self.seconds_for(readings)):
                outputs: list[PageOutput] = await self._reader.read(readings, self._vlm)
        except (PageFailed, OutsideFailed):
            raise
        except Exception as error:
            raise self._verdict(error, tier) from error
        self._broken = ""
        self._settle(tier, readings[0].mode)
        return outputs

    def _settle(self, tier: str, mode: str) -> None:
        """The first page of its kind has loaded what all later ones need.

        It stays, so the garbage collector need not walk over it again and again: a fifth of the
        time that a page with a text layer takes, and a twentieth of that of a scan.
        """
        if (tier, mode) not in self._seen:
            self._seen.add((tier, mode))
            gc.collect()
            gc.freeze()

    def close(self) -> None:
        """End the VLM and the render workers."""
        from docvortex.document.pdf.render_session import (  # noqa: PLC0415
            shutdown_pdf_render_sessions,
        )
        from mineru.model.vlm.runtime import shutdown_cached_models  # noqa: PLC0415

        if self._server is not None:
            self._server.close()
        shutdown_cached_models()
        shutdown_pdf_render_sessions()

    def _tier(self, page: PageInput) -> str:
        asked = str(page.options.get("tier", AUTO))
        return self._installed.default_tier if asked == AUTO else asked

    def _refusal(self, page: PageInput, tier: str) -> PageFailed | OutsideFailed | None:
        """What needs no try: nothing is sent to a server that is away."""
        if page.media_type not in {PDF, RGB}:
            return PageFailed(f"The engine takes no {page.media_type}.", code="bad_media_type")
        if self._installed.missing[tier]:
            self._look_again(0.0)
        lacks = self._installed.missing[tier]
        if tier not in VLM_TIERS:
            return None
        if lacks:
            self._waited_for.add(tier)
            return OutsideFailed(f"The tier {tier} cannot run. {lacks}", code=WEIGHTS)
        if self._server is not None and self._server.problem:
            return OutsideFailed(self._server.problem, code=SERVER)
        return None

    def _verdict(self, error: Exception, tier: str) -> PageFailed | OutsideFailed:
        answer = verdict(error, tier)
        lacks = self._installed.missing[tier]
        if answer.code == MEMORY:
            self._short_at = time.monotonic()
        if answer.code == BROKEN:
            self._broken = str(answer)
        if answer.code == WEIGHTS and lacks:
            self._waited_for.add(tier)
            return OutsideFailed(f"The page needs models. {lacks}", code=WEIGHTS)
        if answer.code == SERVER and self._server is not None:
            self._server.report(str(answer))
        if answer.code == DEAD:
            from mineru.model.vlm.runtime import shutdown_cached_models  # noqa: PLC0415

            shutdown_cached_models()  # the next page starts it anew
        return answer

    def _look_again(self, after_seconds: float) -> None:
        """What was missing may have come since."""
        with self._looking:
            wanted = any(self._installed.lacks.values())
            if wanted and time.monotonic() - self._looked_at >= after_seconds:
                self._look()

    def _look(self) -> None:
        self._scratch.link_weights()
        self._installed = look(self._settings, self._scratch.weights, gpu=_has_gpu())
        self._looked_at = time.monotonic()
        self._waited_for = {tier for tier in self._waited_for if self._installed.missing[tier]}


def _has_gpu() -> bool:
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def _gpu() -> str:
    """The GPU and how much of its memory is taken, once a model of ours is on it."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return ""
    free, total = torch.cuda.mem_get_info()
    gib = 1024**3
    name = torch.cuda.get_device_name(0)
    return f"{name}, {(total - free) / gib:.1f} of {total / gib:.1f} GiB taken"
