"""The raw output as it is stored: the model's text, and what is needed to read it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engines.deepseek.output.blocks import make_blocks
from shared.blocks import Block, BlockType
from shared.errors import PageFailed

SCHEMA = "quire-deepseek/1"
MOST_CHARACTERS = 2_000_000  # of a page: many times the longest answer that a model can give


def dump(text: str, *, turned_degrees: int, images: Sequence[str | None], **facts: Any) -> bytes:
    """JSON with the text as the model wrote it; `images` name the figures' crops in order."""
    page = {"schema": SCHEMA, **facts, "turned_degrees": turned_degrees, "images": list(images)}
    page["text"] = text
    return json.dumps(page, ensure_ascii=False).encode("utf-8", "surrogatepass")


def parse(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
    """The blocks that were made of this output. PageFailed when it is not ours."""
    del options  # all that matters stands in the output
    try:
        page = json.loads(bytes(raw).decode("utf-8", "surrogatepass"))
        text, images = str(page["text"]), list(page["images"])
        turned = int(page["turned_degrees"])
        schema = page["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise PageFailed(
            f"This is no raw output of DeepSeek-OCR: {error}", code="bad_raw"
        ) from error
    if schema != SCHEMA:
        raise PageFailed(f"This is raw output of another kind: {schema!r}.", code="bad_raw")
    return with_images(make_blocks(text[:MOST_CHARACTERS], turned), images)


def with_images(blocks: Sequence[Block], images: Sequence[str | None]) -> tuple[Block, ...]:
    """The figures with the names of their crops, in order."""
    left = iter(images)
    return tuple(
        replace(block, image=next(left, None)) if block.type is BlockType.FIGURE else block
        for block in blocks
    )
