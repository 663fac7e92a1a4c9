"""MinerU's middle JSON as our blocks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.mineru.blocks import bare_latex, parse_page
from shared.blocks import BlockType
from shared.errors import PageFailed
from shared.render import to_text
from tests.unit.engines.mineru.middle import (
    BOX,
    caption,
    document,
    ref,
    spans,
    text_block,
    visual,
)


def blocks_of(*nodes):
    return parse_page(document(*nodes), {})


@pytest.mark.parametrize(
    ("kind", "type_", "level"),
    [
        ("text", BlockType.TEXT, None),
        ("ref_text", BlockType.REFERENCE, None),
        ("doc_title", BlockType.TITLE, 1),
        ("paragraph_title", BlockType.HEADING, 3),
        ("header", BlockType.HEADER, None),
        ("footer", BlockType.FOOTER, None),
        ("page_number", BlockType.PAGE_NUMBER, None),
        ("aside_text", BlockType.HEADER, None),
        ("page_footnote", BlockType.FOOTNOTE, None),
    ],
)
def test_every_kind_of_text_keeps_its_meaning_box_and_level(kind, type_, level):
    node = text_block(kind, "some words")
    [block] = blocks_of({**node, "level": level} if level else node)
    assert (block.type, block.level, block.content) == (type_, level, "some words")
    assert (block.bbox, block.engine) == (BOX, "mineru")


def test_what_goes_on_is_marked():
    first, second = blocks_of(text_block(), {**text_block(), "continues_prev": True})
    assert (first.continues_prev, second.continues_prev) == (False, True)
    [table] = blocks_of({**visual("table", "<table></table>"), "continues_prev": True})
    assert table.continues_prev


def test_a_table_keeps_its_html_its_picture_its_captions_and_notes():
    html = "<table><tr><td>a</td></tr></table>"
    node = visual("table", html, caption("table_caption", "Table 1"), image="ab.jpg")
    node["content"].append(caption("table_footnote", "in euros"))
    above, table, below = blocks_of(text_block(), node)[1:]
    assert (table.type, table.content, table.image) == (BlockType.TABLE, html, "ab")
    assert (above.type, above.content) == (BlockType.CAPTION, "Table 1")
    assert (below.type, below.content) == (BlockType.FOOTNOTE, "in euros")
    assert above.caption_of == below.caption_of == table.order == 2
    assert [above.order, table.order, below.order] == [1, 2, 3]


def test_a_table_that_was_not_read_is_its_picture():
    [figure] = blocks_of(visual("table", "", image="ab.jpg"))
    assert (figure.type, figure.image) == (BlockType.FIGURE, "ab")


def test_a_chart_is_a_picture_and_the_figures_in_it():
    figure, table = blocks_of(visual("chart", "<table><tr><td>1</td></tr></table>", image="ab.jpg"))
    assert (figure.type, table.type) == (BlockType.FIGURE, BlockType.TABLE)
    assert [figure.order, table.order] == [0, 1]


def test_a_table_without_cells_is_its_text_as_it_stands():
    [text] = blocks_of(visual("table", "a  b\n1  2", image="ab.jpg"))
    assert (text.type, text.content, text.image) == (BlockType.CODE, "a  b\n1  2", "ab")


def test_the_words_in_a_picture_are_text():
    figure, text = blocks_of(visual("image", "Untightened\nnut", image="ab.png"))
    assert (figure.type, figure.content, figure.image) == (BlockType.FIGURE, "", "ab")
    assert (text.type, text.content, text.bbox) == (BlockType.TEXT, "Untightened nut", figure.bbox)


def test_what_the_vlm_says_of_a_picture_stands_in_for_it():
    raw = document(visual("image", "A cat on a mat.", image="ab.png"), tier="advanced")
    [figure] = parse_page(raw, {})
    assert (figure.type, figure.content) == (BlockType.FIGURE, "A cat on a mat.")


@pytest.mark.parametrize("latex", ["x^2", "\\[x^2\\]", "$$x^2$$", "$x^2$", "\\(x^2\\)", " x^2 "])
def test_formulas_are_bare_latex(latex):
    [block] = blocks_of({"type": "equation", "bbox": BOX, "content": latex})
    assert (block.type, block.content) == (BlockType.EQUATION, "x^2")


@pytest.mark.parametrize("latex", ["$", "$$", "$$$", "\\[", "\\]\\["])
def test_what_is_only_a_delimiter_stays_harmless(latex):
    assert "$$" not in bare_latex(latex) or latex == "$$$"


def test_a_formula_that_was_not_read_is_its_picture():
    node = {"type": "equation", "bbox": BOX, "content": "", "image_path": "ab.jpg"}
    [block] = blocks_of(node)
    assert (block.type, block.image) == (BlockType.FIGURE, "ab")


def test_code_is_bare_and_an_algorithm_keeps_its_lines():
    [code] = blocks_of({**visual("code", "if a:\n    b()\n"), "sub_type": "code"})
    assert (code.type, code.content) == (BlockType.CODE, "if a:\n    b()")
    steps = [*spans("for each "), {"type": "equation_inline", "content": "x"}, *spans("\n  stop")]
    body = {"type": "algorithm_body", "bbox": BOX, "content": steps}
    [code] = blocks_of({"type": "code", "bbox": BOX, "content": [body], "sub_type": "algorithm"})
    assert code.content == "for each x\n  stop"


def test_lists_nest_keep_numbers_and_lose_other_marks():
    nested = {"type": "list", "content": [text_block("text", "• inner")]}
    items = [text_block("text", "1. first"), nested, text_block("text", "b) last")]
    [block] = blocks_of({"type": "list", "bbox": BOX, "content": items})
    assert block.type is BlockType.LIST
    assert block.content == "1. first\n    - inner\n- b) last"


def test_references_are_a_block_each():
    node = {
        "type": "list",
        "bbox": BOX,
        "sub_type": "ref_text",
        "continues_prev": True,
        "content": [ref("[1] One."), ref("[2] Two.")],
    }
    one, two = blocks_of(node)
    assert (one.type, two.type) == (BlockType.REFERENCE, BlockType.REFERENCE)
    # more entries of the list, each of its own
    assert (one.continues_prev, two.continues_prev) == (False, False)
    assert "Two" in two.content


def test_a_table_of_contents_is_a_list():
    node = {"type": "index", "bbox": BOX, "content": [text_block("text", "1 Scope 7")]}
    [block] = blocks_of(node)
    assert (block.type, block.content) == (BlockType.LIST, "- 1 Scope 7")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema":"docvortex.middle","schema_version":"3.0","pages":[]}',
        document({"type": "text", "bbox": None, "content": []}),
        document({"type": "table", "bbox": BOX, "content": 7}),
        document({"type": "text", "bbox": BOX, "content": [{"type": "text"}]}),
    ],
)
def test_what_is_no_middle_json_is_named_so(raw):
    with pytest.raises(PageFailed) as caught:
        parse_page(raw, {})
    assert caught.value.code == "bad_raw"


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=40))
def test_text_comes_out_as_it_went_in(text):
    """Also what looks like Markdown: it is shown, not obeyed."""
    shown = to_text(blocks_of(text_block("text", text)))
    assert "".join(shown.split()) == "".join(text.split())


def test_raw_is_json_that_any_reader_reads():
    assert json.loads(document(text_block()))["schema"] == "docvortex.middle"
