"""Every kind of block that MinerU has keeps its name, its place and its words in our model."""

import json

import pytest

from engines.mineru.blocks import parse_page
from shared.blocks import Block
from shared.render import MarkdownFlow
from tests.unit.engines.mineru.kinds import BOX, IMAGE, KINDS
from tests.unit.engines.mineru.middle import document, text_block, visual


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.blocks[-1][1])
def test_nothing_of_a_block_is_lost(kind):
    before, *blocks = parse_page(document(text_block(), kind.node), {})
    assert tuple((block.type, block.label) for block in blocks) == kind.blocks
    assert [block.order for block in blocks] == list(range(1, 1 + len(blocks)))
    assert {block.bbox for block in blocks} == {BOX}
    said = "\n".join(block.content for block in blocks)
    assert [word for word in kind.words if word not in said] == []
    if "image_path" in json.dumps(kind.node):
        assert [block.image for block in blocks if block.image] == [IMAGE]
    level = kind.node.get("level")
    assert [block.level for block in blocks if block.level] == ([level] if level else [])
    assert [Block.from_json(block.to_json()) for block in blocks] == blocks
    assert (before.label, before.engine) == ("text", "mineru")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.blocks[-1][1])
def test_what_goes_on_says_so(kind):
    blocks = parse_page(document(text_block(), {**kind.node, "continues_prev": True}), {})
    goes_on = [block for block in blocks if block.continues_prev]
    if kind.joins and kind.node.get("sub_type") != "ref_text":  # those are entries of their own
        own = [block for block in blocks[1:] if block.caption_of is None]
        assert goes_on == own[:1]
    assert len(goes_on) <= 1


def over_two_pages(first, second):
    """The Markdown of two pages that hold one block each, of which the second goes on."""
    flow = MarkdownFlow(marks=True)
    pages = [document(first), document({**second, "continues_prev": True})]
    written = [
        part
        for number, raw in enumerate(pages, 1)
        for part in flow.page(number, parse_page(raw, {}))
    ]
    return "".join([*written, *flow.finish()]).strip()


@pytest.mark.parametrize("kind", ["text", "ref_text"])
def test_text_goes_on_over_the_pages_end(kind):
    text = over_two_pages(text_block(kind, "begun on one page and"), text_block(kind, "ended."))
    assert text.endswith('begun on one page and <a id="page-2"></a> ended.')


def test_tables_go_on_over_the_pages_end():
    head = "<tr><th>item</th><th>sum</th></tr>"
    tables = [f"<table>{head}<tr><td>{item}</td><td>1</td></tr></table>" for item in "ab"]
    text = over_two_pages(*(visual("table", table) for table in tables))
    assert text.count("item") == text.count("--- |") / 2 == 1
    assert text.splitlines()[-2:] == ["| a | 1 |", '| <a id="page-2"></a>b | 1 |']


@pytest.mark.parametrize("sub_type", ["text", "ref_text"])
def test_lists_go_on_with_entries_of_their_own(sub_type):
    entries = [[text_block(sub_type, f"[{n}] Entry {n}.")] for n in (1, 2)]
    nodes = [{"type": "list", "bbox": BOX, "sub_type": sub_type, "content": e} for e in entries]
    text = over_two_pages(*nodes)
    first, second = (text.index(f"Entry {n}.") for n in (1, 2))
    assert '\n\n<a id="page-2"></a>\n\n' in text[first:second]
