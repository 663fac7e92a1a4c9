"""The model's text as blocks: tags of all spellings, places on the page, types."""

import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.deepseek.output.blocks import WHOLE, make_blocks, turn_back
from engines.deepseek.output.raw_text import dump, parse
from engines.deepseek.output.sections import boxes_in, cut
from shared.blocks import BlockType
from shared.errors import PageFailed

V1 = """<|ref|>title<|/ref|><|det|>[[100, 50, 900, 100]]<|/det|>
# On quires

<|ref|>text<|/ref|><|det|>[[100, 120, 480, 200], [520, 120, 900, 180]]<|/det|>
A quire is \\(n = 24\\) sheets.

<|ref|>image<|/ref|><|det|>[[100, 300, 500, 600]]<|/det|>

<|ref|>image_caption<|/ref|><|det|>[[100, 610, 500, 640]]<|/det|>
Figure 1: a quire.

<|ref|>table<|/ref|><|det|>[[100, 650, 900, 800]]<|/det|>
<table><tr><td>a</td></tr></table>

<|ref|>equation<|/ref|><|det|>[[300, 810, 700, 850]]<|/det|>
\\[ a^2 + b^2 = c^2 \\]

<|ref|>footer<|/ref|><|det|>[[480, 960, 520, 980]]<|/det|>
- 12 -
"""


def test_a_page_of_deepseek_ocr() -> None:
    blocks = make_blocks(V1)
    assert [block.type for block in blocks] == [
        BlockType.TITLE,
        BlockType.TEXT,
        BlockType.FIGURE,
        BlockType.CAPTION,
        BlockType.TABLE,
        BlockType.EQUATION,
        BlockType.PAGE_NUMBER,
    ]
    assert [block.order for block in blocks] == list(range(7))
    title, text, figure, caption, table, equation, _ = blocks
    assert (title.content, title.level) == ("On quires", 1)
    assert title.bbox == pytest.approx((100 / 999, 50 / 999, 900 / 999, 100 / 999))
    # several boxes of one tag: the box round them
    assert text.bbox == pytest.approx((100 / 999, 120 / 999, 900 / 999, 200 / 999))
    assert text.content == "A quire is $n = 24$ sheets."
    assert figure.content == ""
    assert caption.caption_of == figure.order
    assert table.content == "<table><tr><td>a</td></tr></table>"
    assert equation.content == "a^2 + b^2 = c^2"
    assert all(block.engine == "deepseek" for block in blocks)


@pytest.mark.parametrize(
    "text",
    [
        "<|ref|>sub_title<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>\n## Bread",
        "<|ref|>sub_title<|/ref|>\n<|det|>[[1,2,30,40]]<|/det|>## Bread",
        "sub_title[[1, 2, 30, 40]]\n## Bread",
        "sub_title [1, 2, 30, 40]## Bread",
        "<|det|>sub_title [1, 2, 30, 40]<|/det|>## Bread",
        "<|det|>sub_title [1, 2, 30, 40]<|/det|>## Bread<｜end▁of▁sentence｜>",
    ],
)
def test_every_spelling_says_the_same(text: str) -> None:
    (block,) = make_blocks(text)
    assert (block.type, block.level, block.content) == (BlockType.HEADING, 2, "Bread")
    assert block.bbox == pytest.approx((1 / 999, 2 / 999, 30 / 999, 40 / 999))


def test_words_in_a_line_are_no_tags() -> None:
    text = "see table [1, 2, 3, 4] and text[[1, 2, 3, 4]]"
    (block,) = make_blocks(text)
    assert block.content == text
    assert block.bbox == WHOLE


def test_several_images_of_one_tag_are_several_figures() -> None:
    blocks = make_blocks("<|ref|>figure<|/ref|><|det|>[[0,0,9,9],[20,20,40,40]]<|/det|>a cat")
    assert [block.content for block in blocks] == ["a cat", ""]
    assert blocks[1].bbox == pytest.approx((20 / 999, 20 / 999, 40 / 999, 40 / 999))


def test_text_that_was_asked_to_be_located_stands_in_its_tag() -> None:
    (block,) = make_blocks("<|ref|>Total: 12 EUR<|/ref|><|det|>[[10, 10, 90, 30]]<|/det|>\n")
    assert (block.type, block.content) == (BlockType.TEXT, "Total: 12 EUR")


def test_free_text_is_cut_at_what_it_looks_like() -> None:
    blocks = make_blocks(
        "# A\n\nplain\nlines\n\n- one\n- two\n\n| h | i |\n|---|---|\n| 1 | a<b |\n\n"
        "$$x$$\n\n```\ncode | here\n```\nend <TABLE><tr><td>never closed"
    )
    assert [block.type.value for block in blocks] == [
        *("heading", "text", "list", "table", "equation", "code", "text", "table")
    ]
    assert "<td>a&lt;b</td>" in blocks[3].content
    assert blocks[5].content == "code | here"
    assert blocks[7].content.endswith("</table>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[0, 0, 999, 999]]", [(0, 0, 1, 1)]),
        ("[[-5, 0, 2000, 99999999999999999999999]]", [(0, 0, 1, 1)]),
        ("[[500.5, 0, 100, 999]]", [(100 / 999, 0, 500.5 / 999, 1)]),
        ("[[1, 2, 3]]", []),
        ("[[1, 2, 3, 4, 5]]", []),
        ("[[5, 5, 5, 9]]", []),
        ("[[1,2,3,4],[__import__('os').system('x')]]", [(1 / 999, 2 / 999, 3 / 999, 4 / 999)]),
        ("[[1e9, 2, 3, 4]]", []),
        ("[[9**9**9, 1, 1, 1]]", []),
    ],
)
def test_boxes_are_only_numbers(text: str, expected: list[tuple[float, ...]]) -> None:
    found = boxes_in(text)
    assert len(found) == len(expected)
    for box, wanted in zip(found, expected, strict=True):
        assert box == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (0, (0.1, 0.2, 0.3, 0.6)),
        # upright top left is, on a page turned clockwise, at the top right
        (90, (0.4, 0.1, 0.8, 0.3)),
        (180, (0.7, 0.4, 0.9, 0.8)),
        (270, (0.2, 0.7, 0.6, 0.9)),
    ],
)
def test_boxes_are_turned_back_onto_the_page(degrees: int, expected: tuple[float, ...]) -> None:
    assert turn_back((0.1, 0.2, 0.3, 0.6), degrees) == pytest.approx(expected)


def test_raw_output_gives_the_same_blocks_again() -> None:
    raw = dump(V1, turned_degrees=90, images=["abc"], finish_reason="stop")
    assert json.loads(raw)["text"] == V1
    blocks = parse(raw, {})
    assert [block.bbox for block in blocks] == [block.bbox for block in make_blocks(V1, 90)]
    assert [block.image for block in blocks if block.type is BlockType.FIGURE] == ["abc"]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"schema": "x/1"}', b"null"])
def test_other_raw_output_is_refused(raw: bytes) -> None:
    with pytest.raises(PageFailed):
        parse(raw, {})


PIECES = st.sampled_from(
    [
        *("<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "[[", "]]", "[", "]", ", ", "\n", "\n\n"),
        *("text", "table", "image", "title", "999", "-1", "1e5", "9" * 400, "nan", "<table>"),
        *("</table>", "<td>", "<script>alert(1)</script>", "<", "<|", "|>", "\\(", "\\)", "\\["),
        *("\\]", "$", "$$", "```", "# ", "|", "|---|", "- ", "\u202e", "\x00", "\ud800", "𝕏", "图"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.text(max_size=12), max_size=60).map("".join))
def test_whatever_is_written_becomes_blocks_on_the_page(text: str) -> None:
    blocks = make_blocks(text, 270)
    for place, block in enumerate(blocks):
        assert block.order == place
        x0, y0, x1, y1 = block.bbox
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
        assert all(map(math.isfinite, block.bbox))
        assert "<|ref|>" not in block.content
    assert parse(dump(text, turned_degrees=270, images=[]), {}) == blocks


@pytest.mark.parametrize(
    "piece",
    [
        *("a", " ", "\n", "[", "]", "[[", "<", "|", "\\", "\\(", "\\(a\\b", "$", "#", "```\n"),
        *("<|ref|>", "<|det|>", "<|ref|>a<|/ref|>", "<|det|>text [1,2,3", "text[[1,", "text[\n"),
        *("<table>", "</table>", "<table", "- ", "1. ", "|a", "-|-", "<|ref|>text<|/ref|><|det|>["),
        *("<|det|>text [1, 2, 3, 4]<|/det|>\n", "9", "\u0301"),
    ],
)
def test_a_megabyte_of_one_thing_takes_no_time(piece: str) -> None:
    def seconds(characters: int) -> float:
        text = piece * (characters // len(piece))
        started = time.perf_counter()
        make_blocks(text)
        return time.perf_counter() - started

    # a quadratic search would take minutes; 10 s leave room for a busy machine
    assert seconds(1_000_000) < 10


def test_sections_are_capped() -> None:
    tag = "<|det|>text [1, 2, 3, 4]<|/det|>x\n"
    assert len(cut(tag * 5_000)) == 2_000
