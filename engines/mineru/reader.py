"""One page through MinerU: its bytes in, our page out. Imported where MinerU is installed."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

from docvortex.assets import parse_image_data_uri_strict
from docvortex.schema import DocumentProperties
from mineru.backend.analyze import aio_doc_analyze
from mineru.config import VlmConfig
from mineru.parser.tier import effort_for_tier
from mineru.version import __version__

from engines.mineru.blocks import parse_page
from engines.mineru.capabilities import FLASH, PARSE_MODES, VLM_TIERS
from engines.mineru.pixels import points, to_pdf
from engines.mineru.weightless import mode_without_models
from shared.blocks import PageOutput
from shared.ocr_backend import RGB, PageInput
from shared.settings import Settings

VERSION = str(__version__)


def vlm_config(settings: Settings) -> VlmConfig:
    """MinerU's own form of our settings. ValueError when the URL is none."""
    return VlmConfig(
        engine=settings.mineru_vlm_engine,
        server_url=settings.mineru_vlm_url,
        api_key=settings.mineru_vlm_key,
        model=settings.mineru_vlm_model,
        http_timeout=settings.mineru_vlm_seconds,
    )


async def read(page: PageInput, tier: str, vlm: VlmConfig, *, without_models: bool) -> PageOutput:
    """Read it. Raises what MinerU raises; `engines.mineru.failures` knows what that means.

    `without_models`: the weights that a scan needs are missing, so the text layer is taken
    wherever there is no scan.
    """
    started = time.perf_counter()
    pdf = to_pdf(page) if page.media_type == RGB else bytes(page.data)
    mode = "ocr" if page.media_type == RGB else PARSE_MODES[str(page.options.get("ocr", "auto"))]
    warnings: tuple[str, ...] = ()
    if without_models and tier == FLASH and mode == "auto":
        mode, warnings = await asyncio.to_thread(mode_without_models, pdf)
    middle, _ = await aio_doc_analyze(
        pdf,
        effort=effort_for_tier(tier),
        parse_mode=mode,
        image_analysis=bool(page.options.get("image_analysis", True)),
        vlm_config=vlm,
        source_properties=DocumentProperties(),  # those of a page cut out say nothing
    )
    document = middle.to_dict()
    images = take_images(document)
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    ran = document["extensions"]["mineru"]
    width, height = points(page) if page.media_type == RGB else _points(document)
    return PageOutput(
        blocks=parse_page(raw, {}),
        raw=raw,
        width=width,
        height=height,
        source=_source(tier, str(ran["parse_mode"])),
        images=images,
        timings={"total": 1000 * (time.perf_counter() - started)},
        warnings=warnings,
        model=f"mineru {VERSION} {ran['tier']}",
    )


def take_images(document: dict[str, Any]) -> dict[str, bytes]:
    """Take the pictures out of the middle JSON, leaving `image_path`s named by their sha256."""
    images: dict[str, bytes] = {}
    for node in _nodes(document["pages"]):
        uri = node.pop("image_base64", None)
        if uri:
            data, extension = parse_image_data_uri_strict(uri)
            name = hashlib.sha256(data).hexdigest()
            images[name] = data
            node["image_path"] = f"{name}.{extension}"
    return images


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            yield item
            pending += item.values()


def _source(tier: str, mode: str) -> str:
    if tier in VLM_TIERS:
        return "model"
    return "ocr" if mode == "ocr" else "text_layer"


def _points(document: dict[str, Any]) -> tuple[float, float]:
    [page] = document["extensions"]["docvortex_layout"]["pages"]
    return float(page["width_pt"]), float(page["height_pt"])
