"""MinerU's middle JSON of one page, and the blocks made of it.

The format is `docvortex.middle` 2.0, as MinerU 4 writes it: a tree of blocks with boxes in 0..1 of
the displayed page. Pictures are named by `image_path`, which here holds `<sha256>.<extension>`.
MinerU's own word for a block is its label, and behind a slash what it knows more of it: chart/bar,
code/python, code/algorithm.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engines.mineru.inline import plain_text, to_markdown
from engines.mineru.lists import index_markdown, list_markdown
from engines.raw_page import escape_markdown
from shared.blocks import Block, BlockType
from shared.errors import PageFailed

SCHEMA, SCHEMA_VERSION = "docvortex.middle", "2.0"

Node = Mapping[str, Any]
Box = tuple[float, float, float, float]

_TEXTS = {
    "text": BlockType.TEXT,
    "ref_text": BlockType.REFERENCE,
    "doc_title": BlockType.TITLE,
    "paragraph_title": BlockType.HEADING,
    "header": BlockType.HEADER,
    "footer": BlockType.FOOTER,
    "page_number": BlockType.PAGE_NUMBER,
    "aside_text": BlockType.HEADER,  # MinerU leaves it out of its Markdown like a header
    "page_footnote": BlockType.FOOTNOTE,
}
_MAX_LABEL = 100  # characters; a VLM says some of them
_LATEX_DELIMITERS = (("\\[", "\\]"), ("$$", "$$"), ("\\(", "\\)"), ("$", "$"))


def parse_page(raw: bytes, options: Mapping[str, Any]) -> tuple[Block, ...]:
    """The blocks of a page from its middle JSON. PageFailed (`bad_raw`) when it is not that."""
    del options  # all of them act before the raw output is written
    try:
        document = json.loads(raw)
        if (document["schema"], document["schema_version"]) != (SCHEMA, SCHEMA_VERSION):
            raise PageFailed(f"The raw output is not {SCHEMA} {SCHEMA_VERSION}.", code="bad_raw")
        ran = document.get("extensions", {}).get("mineru", {})
        describes = ran.get("tier") == "advanced"  # its VLM says what pictures show
        pages = [page.get("blocks", ()) for page in document["pages"]]
        blocks = [made for nodes in pages for made in _page(nodes, describes=describes)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PageFailed("The raw output of the page cannot be read.", code="bad_raw") from error
    return tuple(blocks)


def _page(nodes: Sequence[Node], *, describes: bool) -> list[Block]:
    done: list[Block] = []
    for node in nodes:
        made = _blocks(node, len(done), describes=describes)
        label = _label(node)
        done += [replace(b, engine="mineru", label=b.label or label) for b in made]
    return done


def _label(node: Node) -> str:
    kind = str(node["type"])
    more = str(node.get("guess_lang") or node.get("sub_type") or kind)
    return kind if more == kind else f"{kind}/{more}"[:_MAX_LABEL]


def _blocks(node: Node, order: int, *, describes: bool) -> Iterator[Block]:
    kind, box = str(node["type"]), _box(node["bbox"])
    continues = bool(node.get("continues_prev"))
    if kind in _TEXTS:
        text = to_markdown(node["content"])
        level = node.get("level")
        if text.strip():
            yield Block(_TEXTS[kind], order, box, text, level=level, continues_prev=continues)
    elif kind == "equation":
        yield from _equation(node, order, box)
    elif kind == "list":
        yield from _list(node, order, box, continues=continues)
    elif kind == "index":
        text = index_markdown(node)
        if text:
            yield Block(BlockType.LIST, order, box, text, continues_prev=continues)
    else:
        yield from _visual(node, order, describes=describes)


def _equation(node: Node, order: int, box: Box) -> Iterator[Block]:
    latex, image = bare_latex(str(node["content"])), _image(node)
    if latex:
        yield Block(BlockType.EQUATION, order, box, latex, image=image)
    elif image:
        yield Block(BlockType.FIGURE, order, box, "", image=image)


def _list(node: Node, order: int, box: Box, *, continues: bool) -> Iterator[Block]:
    """A list of references is a block for each: they are cited, searched and joined alone.

    Such a list goes on with further entries: none of them continues the one before it.
    """
    if node.get("sub_type") == "ref_text" and all(c["type"] == "ref_text" for c in node["content"]):
        for child in node["content"]:
            text = to_markdown(child["content"])
            own = _box(child.get("bbox") or node["bbox"])
            if text.strip():
                yield Block(BlockType.REFERENCE, order, own, text)
                order += 1
        return
    text = list_markdown(node)
    if text:
        yield Block(BlockType.LIST, order, box, text, continues_prev=continues)


def _visual(node: Node, order: int, *, describes: bool) -> Iterator[Block]:
    """A picture, table, chart or code with its captions and footnotes, in MinerU's order."""
    box, kind = _box(node["bbox"]), str(node["type"])
    children = [c for c in node["content"] if _is_body(c) or plain_text(c["content"]).strip()]
    parts: list[Block | Node] = []
    owner = order
    for child in children:
        if _is_body(child):
            owner = order + len(parts)
            made = _body(child, kind, owner, box, describes=describes)
            goes_on = bool(node.get("continues_prev"))
            parts += [replace(made[0], continues_prev=goes_on), *made[1:]]
        else:
            parts.append(child)
    for number, part in enumerate(parts):
        if isinstance(part, Block):
            yield part
            continue
        type_ = BlockType.CAPTION if str(part["type"]).endswith("caption") else BlockType.FOOTNOTE
        yield Block(
            type_,
            order + number,
            _box(part.get("bbox") or node["bbox"]),
            to_markdown(part["content"]),
            caption_of=owner,
            label=str(part["type"]),
        )


def _is_body(node: Node) -> bool:
    return str(node["type"]).endswith("_body")


def _body(node: Node, kind: str, order: int, box: Box, *, describes: bool) -> list[Block]:
    content, image = node["content"], _image(node)
    text = plain_text(content).strip("\n")
    if kind == "code":
        return [Block(BlockType.CODE, order, box, text)]
    if kind == "table" and "<table" in text:
        return [Block(BlockType.TABLE, order, box, text.strip(), image=image)]
    if kind == "table" and text.strip():  # without cells: the text as it stands on the page
        return [Block(BlockType.CODE, order, box, text, image=image)]
    figure = Block(BlockType.FIGURE, order, box, "", image=image)
    if "<table" in text:  # a chart's figures
        return [figure, Block(BlockType.TABLE, order + 1, box, text.strip())]
    if describes or not text.strip():
        return [replace(figure, content=text.strip())]
    words = escape_markdown(" ".join(text.split()))
    return [figure, Block(BlockType.TEXT, order + 1, box, words)]


def bare_latex(content: str) -> str:
    """A formula without the delimiters around it."""
    text = content.strip()
    for opening, closing in _LATEX_DELIMITERS:
        whole = len(text) >= len(opening) + len(closing)
        if whole and text.startswith(opening) and text.endswith(closing):
            return text[len(opening) : -len(closing)].strip()
    return text


def _image(node: Node) -> str | None:
    path = node.get("image_path")
    return str(path).partition(".")[0] if path else None


def _box(values: Sequence[Any]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1
