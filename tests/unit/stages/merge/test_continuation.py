import pytest

from stages.merge.continuation import mark_continuation
from tests.fakes.merge_jobs import block

WIDE, NARROW = (0.1, 0.2, 0.9, 0.3), (0.1, 0.2, 0.4, 0.3)
TABLE = "<table><tr><td>1</td><td>2</td></tr></table>"
LOW, HIGH = (0.1, 0.6, 0.9, 0.9), (0.1, 0.1, 0.9, 0.4)


@pytest.mark.parametrize(
    ("last", "first", "goes_on"),
    [
        ("It was the", "best of times.", True),
        ("an exam-", "ple", True),
        ("他说今天天气", "很好。", True),
        ("It was the end.", "best of times.", False),
        ("It was the", "Best of times.", False),
        ("他说今天天气很好。", "然后", False),
        ("It was", "a) an item", False),
        ("Is it?", "so", False),
        ("", "so", False),
    ],
)
def test_a_paragraph_goes_on_where_no_sentence_ends(last, first, goes_on):
    previous, blocks = [block("text", 0, last)], [block("text", 0, first)]
    assert mark_continuation(previous, blocks)[0].continues_prev is goes_on


def test_furniture_figures_and_notes_do_not_part_a_paragraph():
    previous = [
        block("text", 0, "It was the"),
        block("footnote", 1, "1 x"),
        block("footer", 2, "f"),
    ]
    blocks = [block("header", 0, "h"), block("figure", 1, ""), block("text", 2, "best")]
    assert [b.continues_prev for b in mark_continuation(previous, blocks)] == [False, False, True]
    blocks[1] = block("heading", 1, "2 Two")
    assert not any(b.continues_prev for b in mark_continuation(previous, blocks))


def test_a_wider_column_is_another_text():
    previous = [block("text", 0, "It was the", bbox=NARROW)]
    assert not mark_continuation(previous, [block("text", 0, "best", bbox=WIDE)])[0].continues_prev


@pytest.mark.parametrize(
    ("above", "below", "content", "goes_on"),
    [
        (LOW, HIGH, TABLE, True),
        (LOW, (0.2, 0.1, 0.7, 0.4), TABLE, False),
        ((0.1, 0.1, 0.9, 0.3), HIGH, TABLE, False),
        (LOW, (0.1, 0.6, 0.9, 0.8), TABLE, False),
        (LOW, HIGH, "<table><tr><td>1</td></tr></table>", False),
    ],
)
def test_a_table_goes_on_where_place_and_columns_agree(above, below, content, goes_on):
    previous = [block("table", 0, TABLE, bbox=above)]
    blocks = [block("table", 0, content, bbox=below)]
    assert mark_continuation(previous, blocks)[0].continues_prev is goes_on


def test_a_caption_of_its_own_begins_a_new_table():
    previous = [block("table", 0, TABLE, bbox=LOW)]
    for caption, goes_on in (("Table 2", False), ("Table 1 (continued)", True)):
        blocks = [block("caption", 0, caption), block("table", 1, TABLE, bbox=HIGH)]
        assert mark_continuation(previous, blocks)[1].continues_prev is goes_on
