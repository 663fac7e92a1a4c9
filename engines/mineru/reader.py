"""Pages through MinerU: their bytes in, our pages out. Imported where MinerU is installed."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from docvortex.assets import parse_image_data_uri_strict
from docvortex.schema import DocumentProperties
from mineru.backend.analyze import aio_doc_analyze
from mineru.config import VlmConfig
from mineru.parser.tier import effort_for_tier
from mineru.version import __version__

from engines.mineru.blocks import parse_page
from engines.mineru.capabilities import AUTO, FLASH, PARSE_MODES, VLM_TIERS
from engines.mineru.one_document import join, part
from engines.mineru.pixels import points, to_pdf
from engines.mineru.reading import OCR, Reading
from engines.mineru.text_layers import mode_of, mode_without_models
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


def prepare(page: PageInput, tier: str, *, without_models: bool) -> Reading:
    """Make it a PDF and decide whether its text layer or its pixels are read.

    Raises PageFailed for pixels that are none, and what MinerU raises on a damaged PDF.
    `without_models`: the weights that a scan needs are missing, so the text layer is taken
    wherever there is no scan.
    """
    if page.media_type == RGB:
        return Reading(page, to_pdf(page), tier, OCR)
    pdf = bytes(page.data)
    mode = PARSE_MODES[str(page.options.get("ocr", AUTO))]
    if mode != AUTO:
        return Reading(page, pdf, tier, mode)
    if without_models and tier == FLASH:
        return Reading(page, pdf, tier, *mode_without_models(pdf))
    return Reading(page, pdf, tier, mode_of(pdf))


async def read(readings: Sequence[Reading], vlm: VlmConfig) -> list[PageOutput]:
    """Read them as one document: pages of equal `company`, or one alone.

    Raises what MinerU raises; `engines.mineru.failures` knows what that means.
    """
    started = time.perf_counter()
    first = readings[0]
    pdf = first.pdf
    if len(readings) > 1:
        pdf = await asyncio.to_thread(join, [reading.pdf for reading in readings])
    middle, model = await aio_doc_analyze(
        pdf,
        effort=effort_for_tier(first.tier),
        parse_mode=first.mode,
        image_analysis=first.image_analysis,
        vlm_config=vlm,
        source_properties=DocumentProperties(),  # those of a page cut out say nothing
    )
    documents = [middle.to_dict()]
    if len(readings) > 1:
        documents = await asyncio.to_thread(part, model)
    each = 1000 * (time.perf_counter() - started) / len(readings)
    return [
        _output(reading, document, each)
        for reading, document in zip(readings, documents, strict=True)
    ]


def _output(reading: Reading, document: dict[str, Any], milliseconds: float) -> PageOutput:
    images = take_images(document)
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    ran = document["extensions"]["mineru"]
    page = reading.page
    width, height = points(page) if page.media_type == RGB else _points(document)
    return PageOutput(
        blocks=parse_page(raw, {}),
        raw=raw,
        width=width,
        height=height,
        source=_source(reading),
        images=images,
        timings={"total": milliseconds},
        warnings=reading.warnings,
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


def _source(reading: Reading) -> str:
    if reading.tier in VLM_TIERS:
        return "model"
    return "ocr" if reading.mode == OCR else "text_layer"


def _points(document: dict[str, Any]) -> tuple[float, float]:
    [page] = document["extensions"]["docvortex_layout"]["pages"]
    return float(page["width_pt"]), float(page["height_pt"])
