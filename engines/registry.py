"""Which engines there are, and how one is made. Models are imported only when asked for."""

import importlib
from collections.abc import Mapping
from typing import Any

from shared.blocks import Block
from shared.errors import Misconfigured, NotFound
from shared.ocr_backend import OCRBackend
from shared.settings import Settings
from shared.text_lines import TextLine

_CLASSES = {
    "pymupdf": "engines.pymupdf_engine:PyMuPDFEngine",
    "mineru": "engines.mineru.backend:MinerUEngine",
    "deepseek": "engines.deepseek.backend:DeepSeekEngine",
}

KNOWN: tuple[str, ...] = tuple(_CLASSES)


def make_engine(name: str, settings: Settings, gpu: int | None) -> OCRBackend:
    """The engine, not loaded yet. Misconfigured when there is none of that name.

    `settings.engine_classes` may add engines as name=module:Class; such a class is made from
    (settings, gpu) like ours.
    """
    engine = _find(name, settings)(settings, gpu)
    if not isinstance(engine, OCRBackend):
        raise Misconfigured(f"The engine {name!r} is not an OCRBackend.", param="engine_classes")
    return engine


def known_engines(settings: Settings) -> tuple[str, ...]:
    """The names of all engines, ours and those that the settings add."""
    return tuple(dict.fromkeys((*KNOWN, *_added(settings))))


def parse_raw(
    engine: str, raw: bytes, options: Mapping[str, Any], settings: Settings
) -> tuple[Block, ...]:
    """The blocks that the engine made of this raw output, without running it."""
    parse = getattr(_find(engine, settings), "parse_raw", None)
    if parse is None:
        raise NotFound(f"{engine} cannot read its raw output again.", code="no_parse_raw")
    blocks: tuple[Block, ...] = parse(raw, options)
    return blocks


def text_lines(engine: str, raw: bytes, settings: Settings) -> tuple[TextLine, ...] | None:
    """The lines that the engine saw, from its raw output; None when it does not tell lines."""
    lines_of = getattr(_find(engine, settings), "text_lines", None)
    if lines_of is None:
        return None
    lines: tuple[TextLine, ...] = lines_of(raw)
    return lines


def _added(settings: Settings) -> dict[str, str]:
    pairs = (text.partition("=") for text in settings.engine_classes)
    return {name.strip(): place.strip() for name, _, place in pairs}


def _find(name: str, settings: Settings) -> Any:
    place = {**_added(settings), **_CLASSES}.get(name)
    if place is None:
        known = ", ".join(known_engines(settings))
        raise Misconfigured(f"There is no engine {name!r}. Known: {known}.", param="engines")
    module, _, class_name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise Misconfigured(
            f"The engine {name!r} ({place}) cannot be imported: {error}", param="engine_classes"
        ) from error
