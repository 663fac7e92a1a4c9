"""What an error of MinerU means: the page's fault, or something beside it."""

import logging

from engines.mineru.capabilities import VLM_TIERS
from shared.errors import OutsideFailed, PageFailed

log = logging.getLogger(__name__)

WEIGHTS, MEMORY, SERVER, DEAD = "weights_missing", "out_of_memory", "vlm_unavailable", "vlm_dead"
BROKEN = "broken_installation"

_REFUSES_PAGE = frozenset({400, 413, 422})  # of a server that is well: this request is too much
_DAMAGED = ("PdfiumError", "DocumentError", "UnidentifiedImageError")
_NO_MEMORY = (
    "out of memory",
    "failed to allocate",
    "bad_alloc",
    "bad allocation",
    "cannot allocate memory",
    "failed to map segment",  # the loader has none for a library
)
_SERVER_MODULES = ("httpx", "httpcore", "httpx_retries", "json")
_SERVER_ERRORS = ("ServerError", "RequestError", "ClientClosedError")


def verdict(error: Exception, tier: str) -> PageFailed | OutsideFailed:
    """The answer for the page on which MinerU raised this."""
    names = [cls.__name__ for cls in type(error).__mro__]
    text = " ".join(str(error).split())[:300] or names[0]
    if isinstance(error, FileNotFoundError) and "is not ready" in text:
        return OutsideFailed(f"Weights are missing: {text}", code=WEIGHTS)
    if _is_memory(error, names, text):
        return OutsideFailed("The engine ran out of memory.", code=MEMORY)
    answer = _of_engine(names, text)
    if answer is None and tier in VLM_TIERS:
        answer = _of_server(error, names, text)
    if answer is not None:
        return answer
    log.error("MinerU failed on a page (tier %s)", tier, exc_info=error)
    return PageFailed(f"MinerU failed on this page: {names[0]}: {text}", code="engine_error")


def _of_engine(names: list[str], text: str) -> PageFailed | OutsideFailed | None:
    if "EngineDeadError" in names:
        return OutsideFailed(f"The VLM has died: {text}", code=DEAD)
    if "ImportError" in names:
        sentence = f"MinerU lacks a package: {text}. Set it up: `bash deploy/engine.sh mineru`."
        return OutsideFailed(sentence, code=BROKEN)
    if any(name in names for name in _DAMAGED):
        return PageFailed(f"MinerU cannot read the page: {text}", code="damaged")
    return None


def _of_server(error: Exception, names: list[str], text: str) -> PageFailed | OutsideFailed | None:
    if isinstance(error, TimeoutError):
        return OutsideFailed("The VLM did not read the page in time.", code=SERVER)
    status = getattr(error, "status_code", 0)
    if status in _REFUSES_PAGE:
        return PageFailed(f"The VLM server refuses the page: {text}", code="vlm_refused")
    module = type(error).__module__.partition(".")[0]
    if module in _SERVER_MODULES or any(name in names for name in _SERVER_ERRORS):
        return OutsideFailed(f"The VLM server failed: {names[0]}: {text}", code=SERVER)
    return None


def _is_memory(error: Exception, names: list[str], text: str) -> bool:
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return True
    of_system = isinstance(error, (RuntimeError, ImportError, OSError))
    return of_system and any(sign in text.lower() for sign in _NO_MEMORY)
