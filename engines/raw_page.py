"""The raw output of the CPU engine, as JSON, and the blocks made of it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engines.frame import Box
from engines.paragraphs import BULLET, join_lines
from shared.blocks import FURNITURE, Block, BlockType
from shared.errors import PageFailed
from shared.text_lines import TextLine

SCHEMA = "quire-pymupdf/1"
_TYPES = {
    "title": BlockType.TITLE,
    "section-header": BlockType.HEADING,
    "list-item": BlockType.LIST,
    "table": BlockType.TABLE,
    "picture": BlockType.FIGURE,
    "formula": BlockType.EQUATION,
    "caption": BlockType.CAPTION,
    "footnote": BlockType.FOOTNOTE,
    "page-header": BlockType.HEADER,
    "page-footer": BlockType.FOOTER,
}
_PAGE_NUMBER = re.compile(
    r"\W*(?:page\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of)\s*\d{1,4})?\W*", re.IGNORECASE
)
# A bracket needs no escape save before what makes it a link or a note; and many programs show
# what stands between \\[ and \\] as a formula.
_SPECIAL = re.compile(r"[\\`*]|\](?=[(:])|(?<![^\W_])_|_(?![^\W_])|~(?=~)|(?<=~)~")
_ENTITY = re.compile(r"&(?=#?\w{1,31};)")
_LEADING = re.compile(r"(#{1,6}\s|[+\-*>]\s|\[[ xX]\]\s|\d{1,9}[.)]\s|={3,}|-{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line of text on the displayed page: `box` in 0..1, `size` of its letters in points."""

    text: str
    box: Box
    size: float
    mono: bool = False


@dataclass(frozen=True, slots=True)
class RawRegion:
    """One part of the page in reading order; `kind` is PyMuPDF's class, `box` in 0..1."""

    kind: str
    box: Box
    lines: tuple[RawLine, ...] = ()
    table: str = ""
    image: str | None = None
    confidence: float | None = None


def dump_page(regions: Sequence[RawRegion], **facts: Any) -> bytes:
    """The raw output as JSON: `facts` about the page, then its regions in reading order."""
    listed = [
        {
            "kind": region.kind,
            "bbox": [round(value, 5) for value in region.box],
            "font_size": round(max((line.size for line in region.lines), default=0.0), 2),
            "confidence": region.confidence,
            "table": region.table,
            "image": region.image,
            "lines": [
                {
                    "text": line.text,
                    "bbox": [round(value, 5) for value in line.box],
                    "font_size": round(line.size, 2),
                    "mono": line.mono,
                }
                for line in region.lines
            ],
        }
        for region in regions
    ]
    page = {"schema": SCHEMA, **facts, "regions": listed}
    return json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()


def parse_page(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
    """The blocks of a page from `dump_page`'s JSON. PageFailed (`bad_raw`) when it is not that."""
    del options  # all of them act before the raw output is written
    return tuple(_blocks(_regions(raw)))


def lines_of(raw: bytes) -> tuple[TextLine, ...]:
    """The lines of a page from `dump_page`'s JSON. PageFailed (`bad_raw`) when it is not that."""
    return tuple(TextLine(line.text, line.box) for r in _regions(raw) for line in r.lines)


def escape_markdown(text: str) -> str:
    """Plain text as Markdown that shows just that text."""
    text = _SPECIAL.sub(lambda match: "\\" + match[0], _ENTITY.sub("&amp;", text))
    text = text.replace("<", "&lt;")
    leading = _LEADING.match(text)
    if not leading:
        return text
    sign = leading[0]
    at = next(number for number, letter in enumerate(sign) if not letter.isdigit())
    return text[:at] + "\\" + text[at:] if text[at] != "\\" else text


def _regions(raw: bytes) -> list[RawRegion]:
    try:
        page = json.loads(raw)
        if page["schema"] != SCHEMA:
            raise PageFailed(f"The raw output is not {SCHEMA}.", code="bad_raw")
        return [_region(each) for each in page["regions"]]
    except (ValueError, KeyError, TypeError) as error:
        raise PageFailed("The raw output of the page cannot be read.", code="bad_raw") from error


def _region(data: Mapping[str, Any]) -> RawRegion:
    lines = tuple(
        RawLine(str(each["text"]), _box(each["bbox"]), float(each["font_size"]), bool(each["mono"]))
        for each in data["lines"]
    )
    return RawRegion(
        str(data["kind"]),
        _box(data["bbox"]),
        lines,
        str(data["table"]),
        data["image"],
        data["confidence"],
    )


def _box(values: Sequence[Any]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1


def _blocks(regions: Sequence[RawRegion]) -> list[Block]:
    sizes = sorted(
        {_size(region) for region in regions if region.kind == "section-header"}, reverse=True
    )
    first = 2 if any(region.kind == "title" for region in regions) else 1
    blocks: list[Block] = []
    for region in regions:
        type_ = _type(region)
        level = None
        if type_ is BlockType.TITLE:
            level = 1
        elif type_ is BlockType.HEADING:
            level = min(6, first + sizes.index(_size(region)))
        content = _content(region, type_)
        if not content and type_ is not BlockType.FIGURE:
            continue
        if type_ is BlockType.LIST and blocks and blocks[-1].type is BlockType.LIST:
            blocks[-1] = _joined(blocks[-1], content, region.box)
            continue
        if type_ is BlockType.FIGURE and region.lines:
            # Its labels come first: behind it they would part it from its caption.
            text = escape_markdown(join_lines([line.text for line in region.lines]))
            blocks.append(Block(BlockType.TEXT, len(blocks), region.box, text, engine="pymupdf"))
        blocks.append(
            Block(
                type=type_,
                order=len(blocks),
                bbox=region.box,
                content=content,
                level=level,
                confidence=region.confidence,
                engine="pymupdf",
                image=region.image,
            )
        )
    return _with_captions(_with_a_body(blocks))


def _with_a_body(blocks: list[Block]) -> list[Block]:
    """On a page of headers and footers alone they are its text, or the page would read as empty."""
    bare = (*FURNITURE, BlockType.FIGURE)
    if any(block.type not in bare for block in blocks):
        return blocks
    marginal = {BlockType.HEADER, BlockType.FOOTER}
    return [
        replace(block, type=BlockType.TEXT) if block.type in marginal else block for block in blocks
    ]


def _type(region: RawRegion) -> BlockType:
    type_ = _TYPES.get(region.kind, BlockType.TEXT)
    text = " ".join(line.text for line in region.lines).strip()
    if type_ in {BlockType.HEADER, BlockType.FOOTER} and _PAGE_NUMBER.fullmatch(text):
        return BlockType.PAGE_NUMBER
    if type_ is BlockType.TABLE and not region.table:
        return BlockType.TEXT
    if type_ is BlockType.EQUATION and region.image and not text:
        return BlockType.FIGURE
    if type_ is BlockType.TEXT and region.lines and all(line.mono for line in region.lines):
        return BlockType.CODE
    return type_


def _content(region: RawRegion, type_: BlockType) -> str:
    texts = [line.text for line in region.lines]
    if type_ is BlockType.TABLE:
        return region.table
    if type_ is BlockType.FIGURE:
        return ""
    if type_ is BlockType.CODE:
        return "\n".join(text.rstrip() for text in texts)
    joined = join_lines(texts)
    if type_ is BlockType.EQUATION:
        return joined
    if type_ is BlockType.LIST:
        return "- " + escape_markdown(BULLET.sub("", joined, count=1))
    return escape_markdown(joined)


def _joined(block: Block, content: str, box: Box) -> Block:
    a, b = block.bbox, box
    union = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    return replace(block, content=block.content + "\n" + content, bbox=union)


def _with_captions(blocks: list[Block]) -> list[Block]:
    """Give each caption the nearest figure or table beside it in order."""
    shown = [b for b in blocks if b.type in {BlockType.FIGURE, BlockType.TABLE}]
    result = []
    for block in blocks:
        if block.type is BlockType.CAPTION and shown:
            nearest = min(shown, key=lambda other, own=block: _apart(own.bbox, other.bbox))  # type: ignore[misc]
            result.append(replace(block, caption_of=nearest.order))
        else:
            result.append(block)
    return result


def _apart(a: Box, b: Box) -> float:
    return max(a[0] - b[2], b[0] - a[2], 0.0) + max(a[1] - b[3], b[1] - a[3], 0.0)


def _size(region: RawRegion) -> int:
    return round(max((line.size for line in region.lines), default=0.0))
