"""One block of every kind that MinerU's middle JSON has, and what our model makes of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.blocks import BlockType
from tests.unit.engines.mineru.middle import BOX, spans, text_block, visual

CELLS = "<table><tr><td>a</td><td>b</td></tr></table>"
IMAGE = "ab" * 32

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A top-level block; `blocks` are type and label of what becomes of it, in order.

    `words` are in their contents. `joins`: MinerU may say that it goes on from another.
    """

    node: Node
    blocks: tuple[tuple[BlockType, str], ...]
    words: tuple[str, ...]
    joins: bool = False


def _text(kind: str, type_: BlockType, *, joins: bool = False, **more: Any) -> Kind:
    words = f"the {kind.replace('_', ' ')}"
    return Kind({**text_block(kind, words), **more}, ((type_, kind),), (words,), joins)


def _notes(kind: str) -> list[Node]:
    return [text_block(f"{kind}_{what}", f"{kind} {what}") for what in ("caption", "footnote")]


def _visual(
    kind: str, content: str, *own: tuple[BlockType, str], joins: bool = False, **more: Any
) -> Kind:
    """Its caption stands before it and its footnote behind."""
    caption, footnote = _notes(kind)
    node = visual(kind, content, caption, image=None if kind == "code" else f"{IMAGE}.jpg")
    node["content"].append(footnote)
    blocks = (
        (BlockType.CAPTION, f"{kind}_caption"),
        *own,
        (BlockType.FOOTNOTE, f"{kind}_footnote"),
    )
    return Kind({**node, **more}, blocks, (f"{kind} caption", f"{kind} footnote", "a"), joins)


def _algorithm() -> Kind:
    steps = [*spans("for each "), {"type": "equation_inline", "content": "x"}]
    body = {"type": "algorithm_body", "bbox": BOX, "content": steps}
    node = {"type": "code", "bbox": BOX, "content": [body], "sub_type": "algorithm"}
    return Kind(node, ((BlockType.CODE, "code/algorithm"),), ("for each x",))


_ITEMS = [text_block("text", "1. first"), text_block("text", "2. second")]
_ENTRIES = [text_block("ref_text", "[1] One."), text_block("ref_text", "[2] Two.")]
_CHILDREN = {"bbox": BOX, "content": _ITEMS}

KINDS: tuple[Kind, ...] = (
    _text("text", BlockType.TEXT, joins=True),
    _text("ref_text", BlockType.REFERENCE, joins=True),
    _text("doc_title", BlockType.TITLE, level=1),
    _text("paragraph_title", BlockType.HEADING, level=3),
    _text("header", BlockType.HEADER),
    _text("footer", BlockType.FOOTER),
    _text("page_number", BlockType.PAGE_NUMBER),
    _text("aside_text", BlockType.HEADER),
    _text("page_footnote", BlockType.FOOTNOTE),
    Kind(
        {"type": "list", **_CHILDREN}, ((BlockType.LIST, "list"),), ("1. first", "2. second"), True
    ),
    Kind(
        {"type": "list", "sub_type": "ref_text", "bbox": BOX, "content": _ENTRIES},
        ((BlockType.REFERENCE, "list/ref_text"),) * 2,
        ("One.", "Two."),
        joins=True,
    ),
    Kind({"type": "index", **_CHILDREN}, ((BlockType.LIST, "index"),), ("1. first", "2. second")),
    Kind(
        {"type": "equation", "bbox": BOX, "content": "x^2", "image_path": f"{IMAGE}.jpg"},
        ((BlockType.EQUATION, "equation"),),
        ("x^2",),
    ),
    _visual("table", CELLS, (BlockType.TABLE, "table"), joins=True, cell_merge=[0, 1]),
    _visual("image", "", (BlockType.FIGURE, "image/seal"), sub_type="seal"),
    _visual(
        "chart",
        CELLS,
        (BlockType.FIGURE, "chart/bar"),
        (BlockType.TABLE, "chart/bar"),
        sub_type="bar",
    ),
    _visual("code", "a = 1", (BlockType.CODE, "code/python"), sub_type="code", guess_lang="python"),
    _algorithm(),
)


def with_index(node: Node, index: int) -> dict[str, Any]:
    """As a page has it: numbered, and the body with the number of its block."""
    content = node["content"]
    if isinstance(content, list):
        content = [
            {**part, "index": index} if str(part["type"]).endswith("_body") else part
            for part in content
        ]
    return {**node, "index": index, "content": content}


def types_in(value: Any) -> Iterator[str]:
    """The types of all blocks in it, however deep."""
    if isinstance(value, Mapping):
        if "bbox" in value:
            yield str(value["type"])
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from types_in(part)
