"""hOCR 1.2: pages, areas, lines with their boxes, as HTML.

hOCR and not ALTO: its areas carry our block types and its lines need no boxes of words, which ALTO
demands and our engines do not measure; the tools that make searchable PDF from OCR read it.
Boxes are in pixels at 300 dpi of the page as displayed. Source: http://kba.github.io/hocr-spec/1.2/
"""

import html
from collections.abc import Sequence

from shared.blocks import Block, BlockType
from shared.records import PageResult
from shared.text_lines import Box
from stages.export.page_lines import BlockLines

_DPI = 300
_UNKNOWN_SIDE = 10_000  # units, for a page without a measure
_CLASSES = {
    BlockType.TABLE: "ocr_table",
    BlockType.FIGURE: "ocr_photo",
    BlockType.EQUATION: "ocr_display",
    BlockType.CAPTION: "ocr_caption",
    BlockType.HEADER: "ocr_header",
    BlockType.FOOTER: "ocr_footer",
    BlockType.PAGE_NUMBER: "ocr_pageno",
}
END = "</body>\n</html>\n"


def head(title: str) -> str:
    """Everything before the first page."""
    capabilities = " ".join(["ocr_page", "ocr_carea", "ocr_line", *sorted(_CLASSES.values())])
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml">\n<head>\n'
        f'<meta charset="utf-8"/>\n<title>{_escaped(title)}</title>\n'
        '<meta name="ocr-system" content="quire"/>\n'
        f'<meta name="ocr-capabilities" content="{capabilities}"/>\n</head>\n<body>\n'
    )


def page(result: PageResult | None, number: int, blocks: Sequence[BlockLines]) -> str:
    """One `ocr_page`; empty for a page that was not read."""
    wide, high = _size(result)
    about = f"bbox 0 0 {wide} {high}; ppageno {number - 1}; scan_res {_DPI} {_DPI}"
    parts = [f'<div class="ocr_page" id="page_{number}" title="{about}">\n']
    angle = (result.turned_degrees + result.skew_degrees) if result is not None else 0.0
    for index, item in enumerate(blocks, 1):
        parts += _area(number, index, item, (wide, high), angle)
    parts.append("</div>\n")
    return "".join(parts)


def _area(
    number: int, index: int, item: BlockLines, size: tuple[int, int], angle: float
) -> list[str]:
    block = item.block
    box = block.bbox if block is not None else _bounds([line.box for line in item.lines])
    kind = _CLASSES.get(block.type, "ocr_carea") if block is not None else "ocr_carea"
    about = _about(block)
    name = f"block_{number}_{index}"
    parts = [f'<div class="{kind}" id="{name}" title="{_bbox(box, size)}{about}">\n']
    turned = f"; textangle {angle:g}" if angle else ""
    for count, line in enumerate(item.lines, 1):
        parts.append(
            f'<span class="ocr_line" id="line_{number}_{index}_{count}"'
            f' title="{_bbox(line.box, size)}{turned}" dir="auto">{_escaped(line.text)}</span>\n'
        )
    parts.append("</div>\n")
    return parts


def _about(block: Block | None) -> str:
    if block is None:
        return ""
    known = f"; x_type {block.type.value}; order {block.order}"
    return known if block.confidence is None else f"{known}; x_wconf {100 * block.confidence:.0f}"


def _bounds(boxes: Sequence[Box]) -> Box:
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def _bbox(box: Box, size: tuple[int, int]) -> str:
    values = [_pixel(value, size[index % 2]) for index, value in enumerate(box)]
    return "bbox " + " ".join(map(str, values))


def _pixel(value: float, side: int) -> int:
    return round(min(max(value, 0.0), 1.0) * side) if value == value else 0  # noqa: PLR0124 - NaN


def _size(result: PageResult | None) -> tuple[int, int]:
    if result is None or result.width <= 0 or result.height <= 0:
        return _UNKNOWN_SIDE, _UNKNOWN_SIDE
    return round(result.width * _DPI / 72), round(result.height * _DPI / 72)


def _escaped(text: str) -> str:
    """For XML too, which forbids control characters."""
    kept = "".join(c for c in text if c in "\t\n" or c >= " ")
    return html.escape(kept.encode("utf-8", "replace").decode())
