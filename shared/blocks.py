"""The document model: blocks on pages, as every engine returns them and as JSON stores them."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self


class BlockType(StrEnum):
    """What a block is. The last three of the page are furniture."""

    TITLE = "title"
    HEADING = "heading"
    TEXT = "text"
    LIST = "list"
    TABLE = "table"
    FIGURE = "figure"
    EQUATION = "equation"
    CODE = "code"
    CAPTION = "caption"
    FOOTNOTE = "footnote"
    REFERENCE = "reference"
    HEADER = "header"
    FOOTER = "footer"
    PAGE_NUMBER = "page_number"


FURNITURE = frozenset({BlockType.HEADER, BlockType.FOOTER, BlockType.PAGE_NUMBER})


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a page.

    `bbox` is (x0, y0, x1, y1) in 0..1 of the page as displayed (PDF /Rotate and EXIF applied, the
    frame of the preview image), origin top-left. `content` is Markdown; for a table an HTML
    `<table>`; for an equation LaTeX without delimiters; for code the bare text; for a figure its
    alternative text or "". `level` is 1..6 for headings and the title. `image` names a figure's
    crop by the sha256 of its bytes. `caption_of` is the `order` of the block that a caption
    belongs to. `confidence` is 0..1 where the engine knows it. `label` is the engine's own word for
    what it is, where it has more of them than there are types ("" where not).
    """

    type: BlockType
    order: int
    bbox: tuple[float, float, float, float]
    content: str
    level: int | None = None
    continues_prev: bool = False
    caption_of: int | None = None
    confidence: float | None = None
    engine: str = ""
    image: str | None = None
    label: str = ""

    @property
    def is_furniture(self) -> bool:
        """Header, footer or page number: kept in JSON, left out of Markdown by default."""
        return self.type in FURNITURE

    def to_json(self) -> dict[str, Any]:
        """The block as JSON values, all keys always there."""
        return {  # written out: dataclasses.asdict takes ten times as long
            "type": self.type.value,
            "order": self.order,
            "bbox": [round(value, 5) for value in self.bbox],
            "content": self.content,
            "level": self.level,
            "continues_prev": self.continues_prev,
            "caption_of": self.caption_of,
            "confidence": self.confidence,
            "engine": self.engine,
            "image": self.image,
            "label": self.label,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote. KeyError or ValueError when it is not that."""
        x0, y0, x1, y1 = (float(value) for value in data["bbox"])
        return cls(
            type=BlockType(data["type"]),
            order=int(data["order"]),
            bbox=(x0, y0, x1, y1),
            content=str(data["content"]),
            level=data.get("level"),
            continues_prev=bool(data.get("continues_prev", False)),
            caption_of=data.get("caption_of"),
            confidence=data.get("confidence"),
            engine=str(data.get("engine", "")),
            image=data.get("image"),
            label=str(data.get("label", "")),
        )


@dataclass(frozen=True, slots=True)
class PageOutput:
    """What an engine says of one page.

    `raw` is the engine's own output byte for byte, enough for `engines.registry.parse_raw` to
    make the same blocks again. `images` maps the sha256 of a figure's crop to its bytes
    (PNG, JPEG or WebP). `width` and `height` are of the page as displayed, in points.
    `turned_degrees` (0, 90, 180, 270, clockwise) and `skew_degrees` say how the content was turned
    before reading; the boxes are already mapped back to the page as displayed.
    `source` is `text_layer`, `ocr` or `model`. `timings` are milliseconds by step; an engine with
    several pages in flight gives its own `total`. `finish_reason` says how a model stopped: `stop`
    at its end of sequence, `length` at a limit, `loop` when it was stopped for repeating itself,
    `broken` when a server ended it without an end of sequence, "" where there is no such thing.
    """

    blocks: tuple[Block, ...]
    raw: bytes
    raw_media_type: str = "application/json"
    width: float = 0.0
    height: float = 0.0
    source: str = "ocr"
    turned_degrees: int = 0
    skew_degrees: float = 0.0
    images: dict[str, bytes] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    model: str = ""
    finish_reason: str = ""

    def with_blocks(self, blocks: tuple[Block, ...]) -> Self:
        """The same page with other blocks."""
        return replace(self, blocks=blocks)
