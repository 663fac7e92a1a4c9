import pytest

from shared.blocks import BlockType
from stages.merge.headings import HeadingSurvey, letter_size, numbering_depth
from tests.fakes.merge_jobs import block

WIDE, HIGH = 600.0, 800.0


def heading(order, content, points, kind="heading", **values):
    """A heading of one line in letters of this size."""
    width = min(len(content) * 0.5 * points / WIDE, 0.85)
    top = 0.2 + order * 0.05
    box = (0.1, top, 0.1 + width, top + 1.2 * points / HIGH)
    return block(kind, order, content, bbox=box, **values)


def levels(*pages):
    survey = HeadingSurvey()
    for number, blocks in enumerate(pages, 1):
        survey.add(number, blocks, WIDE, HIGH)
    return [
        [(made.type, made.level) for made in survey.apply(number, blocks, WIDE, HIGH)]
        for number, blocks in enumerate(pages, 1)
    ]


@pytest.mark.parametrize(
    ("content", "depth"),
    [
        ("1 Introduction", 1),
        ("2. Methods", 1),
        (r"2\. Methods", 1),
        (r"2.1\) Methods", 2),
        ("3.1 Data", 2),
        ("3.1.4. Pi", 3),
        ("A.1 Proofs", 2),
        ("**1.2** Bold", 2),
        ("Chapter 7", 1),
        ("Appendix B: Tables", 1),
        ("第三章 方法", 1),
        ("第一节 数据", 2),
        ("1984 in Review", None),
        ("Introduction", None),
        ("A Tale", None),
        ("", None),
    ],
)
def test_numbers_say_how_deep_a_heading_is(content, depth):
    assert numbering_depth(content) == depth


def test_letter_size_does_not_depend_on_the_number_of_lines():
    one = heading(0, "A heading of some length", 20)
    two = block("heading", 0, "A heading of some length", bbox=(0.1, 0.2, 0.3, 0.26))
    assert letter_size(one, WIDE, HIGH) == pytest.approx(20)
    assert letter_size(two, WIDE, HIGH) == pytest.approx(20, rel=0.1)
    assert letter_size(one, 0.0, 0.0) == 0.0


def test_numbering_wins_over_what_the_engine_saw_on_one_page():
    made = levels(
        [heading(0, "1 One", 18, level=1), heading(1, "1.1 Sub", 14, level=2)],
        [heading(0, "1.2 Sub alone on its page", 14, level=1)],
        [heading(0, "2 Two", 18, level=1)],
    )
    assert [[level for _, level in page] for page in made] == [[1, 2], [2], [1]]


def test_unnumbered_headings_take_the_level_of_their_size():
    made = levels(
        [heading(0, "Preface", 18, level=1)],
        [heading(0, "1 One", 18, level=1), heading(1, "1.1 Sub", 14, level=2)],
        [heading(0, "Summary so far", 14, level=1), heading(1, "Remarks", 11, level=2)],
    )
    assert [[level for _, level in page] for page in made] == [[1], [1, 2], [2, 3]]


def test_without_numbers_sizes_rank_over_the_whole_document():
    made = levels(
        [heading(0, "Large here", 24)],
        [heading(0, "Small alone here", 12, level=1)],
        [heading(0, "Middle one here", 17, level=1), heading(1, "Small again here", 12)],
    )
    assert [[level for _, level in page] for page in made] == [[1], [3], [2, 3]]


def test_where_sizes_do_not_differ_the_engine_is_believed():
    made = levels([heading(0, "One", 12, level=2), heading(1, "Two", 12, level=3)])
    assert [level for _, level in made[0]] == [1, 2]


def test_there_is_one_title_and_it_moves_the_headings_down():
    made = levels(
        [heading(0, "The Book", 30, "title"), heading(1, "1 One", 18)],
        [heading(0, "Another", 18, "title"), heading(1, "1.1 Sub", 14)],
    )
    assert made == [
        [(BlockType.TITLE, 1), (BlockType.HEADING, 2)],
        [(BlockType.HEADING, 2), (BlockType.HEADING, 3)],
    ]


def test_a_numbered_or_late_title_is_a_heading():
    assert levels([heading(0, "Chapter 1", 30, "title")]) == [[(BlockType.HEADING, 1)]]
    late = levels(*[[heading(0, "text", 10)]] * 4, [heading(0, "The End", 30, "title")])
    assert late[-1] == [(BlockType.HEADING, 1)]


def test_levels_end_at_six():
    assert levels([heading(0, "1.2.3.4.5.6 Deep", 10)])[0][0][1] == 6
