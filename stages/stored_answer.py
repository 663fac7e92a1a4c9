"""A page that was read before, as an engine's answer."""

import logging
from dataclasses import replace

from shared.blocks import Block, PageOutput
from shared.errors import NotFound
from shared.records import PageResult
from store import Store

log = logging.getLogger(__name__)

LOST_CROP = "The picture of a figure is not in the data directory any more."


def output_of(result: PageResult, blocks: tuple[Block, ...], store: Store) -> PageOutput:
    """A stored result as an engine's output, its crops read from the blob store.

    Crops that are lost are left out, with a warning: better than no page.
    """
    images: dict[str, bytes] = {}
    lost: set[str] = set()
    for name in result.images:
        try:
            images[name] = store.blobs.read(name)
        except NotFound:
            log.warning("page %d of job %s has lost its crop %s", result.page, result.job, name)
            lost.add(name)
    warnings = result.warnings
    if lost:
        blocks = tuple(replace(b, image=None) if b.image in lost else b for b in blocks)
        warnings = (*warnings, LOST_CROP)
    return PageOutput(
        blocks=blocks,
        raw=result.raw,
        raw_media_type=result.raw_media_type,
        width=result.width,
        height=result.height,
        source=result.source,
        turned_degrees=result.turned_degrees,
        skew_degrees=result.skew_degrees,
        images=images,
        timings=dict(result.timings),
        warnings=warnings,
        model=result.model,
    )
