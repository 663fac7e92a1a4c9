"""The parts of the CPU engine that need no model."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.deskew import find_skew
from engines.frame import Frame, straighten, turn
from engines.orientation import runs_sideways
from engines.paragraphs import join_lines
from engines.rapid.detector import clockwise
from engines.rapid.recognizer import BUCKETS, batch_size, batches_of, decode
from engines.raw_page import RawLine, RawRegion, dump_page, escape_markdown, parse_page
from engines.reading_order import Item, order_items
from engines.tables import table_of
from engines.text_layer import TextLayer, why_unsound
from shared.blocks import BlockType
from shared.errors import PageFailed

PROSE = "a line of prose that is long enough"


def texts(groups):
    return [item.text for group in groups for item in sorted(group.items, key=lambda i: i.y0)]


def test_two_columns_are_read_one_after_the_other():
    left = [Item(0, y, 200, y + 10, f"{PROSE} left {y}") for y in range(0, 120, 12)]
    right = [Item(230, y, 430, y + 10, f"{PROSE} right {y}") for y in range(0, 120, 12)]
    mixed = [item for pair in zip(left, right, strict=True) for item in pair]
    groups = order_items(mixed)
    assert texts(groups) == [item.text for item in left + right]
    assert not any(group.tabular for group in groups)


def test_short_cells_side_by_side_are_a_table():
    cells = [Item(x, y, x + 30, y + 10, f"c{x}-{y}") for y in (0, 14, 28) for x in (0, 100, 200)]
    (group,) = order_items(cells)
    assert group.tabular
    assert table_of(group.items).startswith(
        "<table><tr><td>c0-0</td><td>c100-0</td><td>c200-0</td></tr>"
    )


def test_a_heading_over_two_cells_spans_them():
    cells = [Item(100, 0, 210, 10, "both")]
    cells += [Item(x, 14, x + 30, 24, str(x)) for x in (0, 100, 180, 260, 340, 420)]
    assert '<td colspan="2">both</td>' in table_of(cells)


def test_a_cell_cannot_bring_markup():
    assert "<script>" not in table_of([Item(0, 0, 9, 9, "<script>"), Item(50, 0, 59, 9, "b")])


@given(st.lists(st.tuples(*[st.integers(0, 500)] * 4), max_size=40))
def test_the_order_loses_and_doubles_nothing(boxes):
    items = [Item(x, y, x + w + 1, y + h + 1, f"t{n}", n) for n, (x, y, w, h) in enumerate(boxes)]
    found = [item.index for group in order_items(items) for item in group.items]
    assert sorted(found) == list(range(len(items)))


def test_joined_lines_lose_their_hyphen_and_cjk_gets_no_space():
    assert join_lines(["infor-", "mation and", "more"]) == "information and more"
    assert join_lines(["X-", "Ray"]) == "X- Ray"
    assert join_lines(["你好", "世界"]) == "你好世界"


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turning_maps_pixels_back(degrees):
    image = np.zeros((40, 100, 3), np.uint8)
    image[5:10, 70:80] = 255
    turned, frame = turn(image, Frame.of_image(100, 40), degrees)
    rows, columns = np.nonzero(turned[:, :, 0])
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert frame.box_on_page(box) == pytest.approx((0.7, 0.125, 0.8, 0.25))
    assert frame.turned_degrees == degrees


def test_straightening_levels_a_slope_and_maps_back():
    image = np.zeros((400, 400, 3), np.uint8)
    slope = np.tan(np.radians(3.0))
    for x in range(50, 350):
        image[round(200 + (x - 200) * slope), x] = 255
    level, frame = straighten(image, Frame.of_image(400, 400), -3.0)
    rows = np.nonzero(level[:, :, 0] > 100)[0]
    assert rows.max() - rows.min() <= 2
    assert frame.box_on_page((200, 200, 200, 200))[:2] == pytest.approx((0.5, 0.5))


def sloped(degrees, count=8):
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    down = np.array([-along[1], along[0]]) * 12
    starts = [np.array([50.0, 50.0 + 30 * n]) for n in range(count)]
    return np.array(
        [[s, s + 300 * along, s + 300 * along + down, s + down] for s in starts], np.float32
    )


@pytest.mark.parametrize("degrees", [-5.0, -0.5, 2.0])
def test_the_skew_is_that_of_the_lines(degrees):
    assert find_skew(sloped(degrees)) == pytest.approx(degrees, abs=0.05)


def test_small_slopes_and_empty_pages_stay():
    assert find_skew(sloped(0.1)) == 0.0
    assert find_skew(np.zeros((0, 4, 2), np.float32)) == 0.0


def test_tall_boxes_run_sideways():
    boxes = sloped(0.0)
    assert not runs_sideways(boxes)
    assert runs_sideways(np.stack([clockwise(box[:, ::-1]) for box in boxes]))


def layer(**changes):
    values = {"text": "The quick brown fox jumps over the lazy dog", "visible": 35, "invisible": 0}
    values |= {"broken": 0, "image_share": 0.0, "has_ink": True} | changes
    return TextLayer(**values)


@pytest.mark.parametrize(
    ("changes", "sound"),
    [
        ({}, True),
        ({"text": "", "visible": 0}, False),
        ({"text": "", "visible": 0, "has_ink": False}, True),  # blank
        ({"visible": 0, "invisible": 35}, False),
        ({"broken": 20}, False),
        ({"image_share": 1.0}, False),
        ({"text": '"7+%-', "visible": 5}, False),
        ({"text": "盐城高新区投资集团有限公司"}, True),
        ({"text": "xkq wrtp lmnb zxcv bnmk qwrt plkj hgfd"}, False),
    ],
)
def test_soundness(changes, sound):
    assert (why_unsound(layer(**changes)) is None) is sound


def test_batches_hold_every_crop_in_a_known_shape():
    widths = [1, 63, 64, 65, 300, 300, 5000, 900, 901, 47]
    batches = batches_of(widths)
    assert sorted(n for _, members in batches for n in members) == list(range(len(widths)))
    for width, members in batches:
        assert width in BUCKETS
        assert len(members) <= batch_size(width)
        assert all(min(widths[n], BUCKETS[-1]) <= width for n in members)


def test_decoding_drops_repeats_and_blanks():
    indices = np.array([0, 1, 1, 0, 1, 2, 2])
    text, confidence = decode(indices, np.full(7, 0.5, np.float32), ["", "a", "b"])
    assert (text, confidence) == ("aab", 0.5)


def region(kind, text, size=10.0, **more):
    return RawRegion(kind, (0.1, 0.1, 0.9, 0.2), (RawLine(text, (0, 0, 1, 1), size),), **more)


def test_raw_output_becomes_blocks():
    raw = dump_page(
        [
            region("page-header", "12"),
            region("title", "Title", 20),
            region("section-header", "Small", 12),
            region("section-header", "Large", 16),
            region("list-item", "• one"),
            region("list-item", "- two"),
            region("table", "x", table="<table><tr><td>x</td></tr></table>"),
            region("caption", "Table 1"),
        ]
    )
    blocks = parse_page(raw, {})
    found = [(block.type, block.level, block.content) for block in blocks]
    assert found[:5] == [
        (BlockType.PAGE_NUMBER, None, "12"),
        (BlockType.TITLE, 1, "Title"),
        (BlockType.HEADING, 3, "Small"),
        (BlockType.HEADING, 2, "Large"),
        (BlockType.LIST, None, "- one\n- two"),
    ]
    assert blocks[-1].caption_of == blocks[-2].order
    assert [block.order for block in blocks] == list(range(len(blocks)))


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"schema":"other"}', b'{"schema":"quire-pymupdf/1"}']
)
def test_other_raw_output_is_refused(raw):
    with pytest.raises(PageFailed) as caught:
        parse_page(raw, {})
    assert caught.value.code == "bad_raw"


def test_plain_text_stays_plain_in_markdown():
    assert escape_markdown("# no heading") == "\\# no heading"
    assert escape_markdown("1. no list") == "1\\. no list"
    assert escape_markdown("a*b* <b> snake_case _x_") == "a\\*b\\* &lt;b> snake_case \\_x\\_"


def test_raw_output_has_boxes_and_sizes_of_lines():
    page = json.loads(dump_page([region("text", "hello", 11.0)], width=1, height=2))
    assert page["regions"][0]["font_size"] == 11.0
    assert page["regions"][0]["lines"][0]["bbox"] == [0, 0, 1, 1]
