"""Blocks from sections: what each label means, where it stands on the page as displayed."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from engines.deepseek.output.markdown_parts import Part, formula_of, inline, parts_of
from engines.deepseek.output.sections import LABELS, Box, Section, cut
from shared.blocks import Block, BlockType

ENGINE = "deepseek"
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)  # where nothing else is known
_NEAR = 2  # a caption belongs to a figure or table at most so many blocks away

_FIXED = {
    "header": BlockType.HEADER,
    "footer": BlockType.FOOTER,
    "page_number": BlockType.PAGE_NUMBER,
    "number": BlockType.PAGE_NUMBER,
    "footnote": BlockType.FOOTNOTE,
    "image_footnote": BlockType.FOOTNOTE,
    "table_footnote": BlockType.FOOTNOTE,
    "reference": BlockType.REFERENCE,
    "references": BlockType.REFERENCE,
    "ref_text": BlockType.REFERENCE,
    "image_caption": BlockType.CAPTION,
    "figure_caption": BlockType.CAPTION,
    "table_caption": BlockType.CAPTION,
    "code_caption": BlockType.CAPTION,
    "code": BlockType.CODE,
}
_FIGURES = frozenset({"image", "figure", "chart", "seal"})
_TITLES = frozenset({"title", "doc_title"})
_FORMULAS = frozenset({"equation", "equation_block", "formula"})
_KNOWN = frozenset(LABELS.split("|"))
_PAGE_NUMBER = re.compile(
    r"\W{0,4}(?:page\s)?\d{1,4}(?:\s?(?:/|of)\s?\d{1,4})?\W{0,4}", re.IGNORECASE
)


def make_blocks(text: str, turned_degrees: int = 0) -> tuple[Block, ...]:
    """The blocks of a page from all that the model wrote about it, in its reading order.

    `turned_degrees` says how far the content was turned clockwise on the page before it was read
    upright: boxes are turned back onto the page as displayed.
    """
    blocks: list[Block] = []
    for section in cut(text):
        turned = tuple(turn_back(box, turned_degrees) for box in section.boxes)
        for block in _of_section(replace(section, boxes=turned)):
            blocks.append(replace(block, order=len(blocks)))
    return tuple(_with_captions(blocks))


def turn_back(box: Box, degrees: int) -> Box:
    """The box on the page as displayed, from the upright page that was read."""
    x0, y0, x1, y1 = box
    return {
        90: (1 - y1, x0, 1 - y0, x1),
        180: (1 - x1, 1 - y1, 1 - x0, 1 - y0),
        270: (y0, 1 - x1, y1, 1 - x0),
    }.get(degrees % 360, box)


def _of_section(section: Section) -> Iterator[Block]:
    label = section.label.lower().replace(" ", "_").replace("-", "_")
    box = _round(section.boxes)
    if label in _FIGURES:
        for number, place in enumerate(section.boxes or (WHOLE,)):
            yield _block(BlockType.FIGURE, place, inline(section.text) if not number else "")
    elif label in _TITLES:
        yield from _titles(section.text, box)
    elif label in _FORMULAS:
        yield _block(BlockType.EQUATION, box, formula_of(section.text) or _bare(section.text))
    elif label in _FIXED:
        if section.text:
            kind = _FIXED[label]
            if kind is BlockType.FOOTER and _PAGE_NUMBER.fullmatch(section.text):
                kind = BlockType.PAGE_NUMBER
            content = _code(section.text) if kind is BlockType.CODE else inline(section.text)
            yield _block(kind, box, content)
    elif section.label and label not in _KNOWN and not section.text:
        # asked to locate text, the model puts the text where the label stands
        yield _block(BlockType.TEXT, box, inline(section.label))
    else:
        for part in parts_of(section.text):
            heading = part.type is BlockType.HEADING
            yield _block(part.type, box, part.content, part.level if heading else None)


def _titles(text: str, box: Box) -> Iterator[Block]:
    """The first paragraph is the title; what the model wrote after it is what it looks like."""
    for number, part in enumerate(parts_of(text)):
        if number == 0 and part.type in {BlockType.HEADING, BlockType.TEXT, BlockType.LIST}:
            yield _block(BlockType.TITLE, box, part.content, part.level or 1)
        else:
            yield _part(part, box)


def _part(part: Part, box: Box) -> Block:
    return _block(part.type, box, part.content, part.level or None)


def _block(kind: BlockType, box: Box, content: str, level: int | None = None) -> Block:
    return Block(kind, 0, box, content, level=level, engine=ENGINE)


def _bare(text: str) -> str:
    return text.strip().strip("$").strip()


def _code(text: str) -> str:
    parts = list(parts_of(text))
    return parts[0].content if len(parts) == 1 and parts[0].type is BlockType.CODE else text


def _round(boxes: Sequence[Box]) -> Box:
    """The box round all of them."""
    if not boxes:
        return WHOLE
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _with_captions(blocks: Sequence[Block]) -> Iterable[Block]:
    """Each caption with the figure or table beside it, the one before rather than the one after."""
    owners = (BlockType.FIGURE, BlockType.TABLE, BlockType.CODE)
    for block in blocks:
        if block.type is BlockType.CAPTION:
            near = [block.order + step for n in range(1, _NEAR + 1) for step in (-n, n)]
            places = [place for place in near if 0 <= place < len(blocks)]
            found = next((place for place in places if blocks[place].type in owners), None)
            yield replace(block, caption_of=found)
        else:
            yield block
