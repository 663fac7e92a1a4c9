"""What the model wrote of a page as the page's answer, with pictures of its figures."""

import hashlib
import io
from collections.abc import Iterable

from PIL import Image

from engines.deepseek.output.blocks import WHOLE, make_blocks
from engines.deepseek.output.raw_text import MOST_CHARACTERS, dump, with_images
from engines.deepseek.page_requests import PageInHand
from engines.deepseek.runtime import Generation
from shared.blocks import Block, BlockType, PageOutput

_MOST_CROPS = 60  # of one page
_SMALLEST_CROP = 8  # pixels: less shows nothing
_POINTS = 72.0


def page_output(in_hand: PageInHand, generation: Generation, model: str) -> PageOutput:
    """The answer for one page: blocks, crops, and the raw text to make them again from."""
    page = in_hand.page
    text = generation.text[:MOST_CHARACTERS]
    blocks = make_blocks(text, in_hand.turned_degrees)
    names, images = _crops(in_hand, blocks)
    raw = dump(
        text,
        turned_degrees=in_hand.turned_degrees,
        images=names,
        model=model,
        tokens=generation.tokens,
        finish_reason=generation.finish_reason,
    )
    scale = _POINTS / page.dpi if page.dpi else 1.0
    return PageOutput(
        blocks=with_images(blocks, names),
        raw=raw,
        width=page.width * scale,
        height=page.height * scale,
        source="model",
        turned_degrees=in_hand.turned_degrees,
        images=images,
        timings=dict(generation.timings),
        warnings=("The answer is cut: it is too long.",)
        if len(text) < len(generation.text)
        else (),
        model=model,
        finish_reason=generation.finish_reason,
    )


def _crops(
    in_hand: PageInHand, blocks: Iterable[Block]
) -> tuple[list[str | None], dict[str, bytes]]:
    """Per figure in order the name of its crop, and the crops as PNG by name."""
    names: list[str | None] = []
    images: dict[str, bytes] = {}
    page = in_hand.page
    picture: Image.Image | None = None
    for block in blocks:
        if block.type is not BlockType.FIGURE:
            continue
        x0, y0, x1, y1 = block.bbox
        edges = (
            *(round(x0 * page.width), round(y0 * page.height)),
            *(round(x1 * page.width), round(y1 * page.height)),
        )
        small = min(edges[2] - edges[0], edges[3] - edges[1]) < _SMALLEST_CROP
        if small or block.bbox == WHOLE or len(images) >= _MOST_CROPS:
            names.append(None)
            continue
        picture = picture or Image.frombytes("RGB", (page.width, page.height), bytes(page.data))
        file = io.BytesIO()
        picture.crop(edges).save(file, "PNG")
        name = hashlib.sha256(file.getvalue()).hexdigest()
        images[name] = file.getvalue()
        names.append(name)
    return names, images
