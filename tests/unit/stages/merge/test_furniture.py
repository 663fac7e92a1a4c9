import pytest

from shared.blocks import BlockType
from stages.merge.furniture import FurnitureSurvey
from tests.fakes.merge_jobs import block

TOP, BOTTOM = (0.1, 0.03, 0.9, 0.05), (0.45, 0.95, 0.55, 0.97)


def kinds(pages):
    """Types of the blocks of each page after both passes."""
    survey = FurnitureSurvey()
    for number, blocks in enumerate(pages, 1):
        survey.add(number, blocks)
    return [[b.type for b in survey.apply(n, blocks)] for n, blocks in enumerate(pages, 1)]


def page(*placed):
    return [block(kind, order, text, bbox=box) for order, (kind, text, box) in enumerate(placed)]


def test_running_heads_and_page_numbers_are_known_by_repetition():
    pages = [
        page(("text", "A Tale", TOP), ("text", f"body {n}", (0.1, 0.3, 0.9, 0.5)))
        + page(("text", f"- {n} -", BOTTOM))
        for n in range(1, 6)
    ]
    assert kinds(pages) == [[BlockType.HEADER, BlockType.TEXT, BlockType.PAGE_NUMBER]] * 5


def test_page_numbers_may_begin_anywhere_and_stand_in_words():
    pages = [page(("text", f"Page {n + 40} of 90", BOTTOM)) for n in range(1, 6)]
    assert kinds(pages) == [[BlockType.FOOTER]] * 5


@pytest.mark.parametrize(
    "head", ["{n} A Tale", "A Tale {n}", "Sensors 2023, 23, 871  {n} of 16", "第 {n} 页", "| {n} |"]
)
def test_a_page_number_stands_at_an_end_of_its_line(head):
    found = kinds([page(("text", head.format(n=n), TOP)) for n in range(1, 6)])
    assert not {BlockType.TEXT} & {kind for each in found for kind in each}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("heading", "Heading of part {n}"),
        ("heading", "Exhibit {n}"),
        ("text", "This is page number {n} of sixty."),
        ("text", "Answer all of the questions in part {n}."),
    ],
)
def test_numbered_subjects_and_sentences_are_text_on_every_page(kind, text):
    pages = [page((kind, text.format(n=n), TOP)) for n in range(1, 9)]
    assert kinds(pages) == [[BlockType(kind)]] * 8


def test_a_heading_that_is_a_page_number_alone_is_furniture():
    pages = [page(("heading", f"Page {n} of 9", TOP)) for n in range(1, 6)]
    assert kinds(pages) == [[BlockType.HEADER]] * 5


@pytest.mark.parametrize("count", [1, 2])
def test_twice_is_no_repetition(count):
    assert kinds([page(("text", "A Tale", TOP))] * count) == [[BlockType.TEXT]] * count


def test_left_and_right_pages_have_their_own_heads():
    pages = [page(("text", "Right" if n % 2 else "Left", TOP)) for n in range(1, 9)]
    assert kinds(pages) == [[BlockType.HEADER]] * 8


def test_a_chapters_running_head_is_known_though_the_book_is_long():
    pages = [page(("text", f"text of {n} alone"[: 9 + n % 7], TOP)) for n in range(1, 30)]
    pages += [page(("text", "The Chapter", TOP))] * 8
    assert kinds(pages)[-1] == [BlockType.HEADER]


def test_numbers_that_do_not_count_pages_are_no_page_numbers():
    prices = [500, 17, 93, 4, 260]
    pages = [page(("text", f"{price} dollars", BOTTOM)) for price in prices]
    assert kinds(pages) == [[BlockType.TEXT]] * 5


def test_the_first_heading_stays_and_its_copies_are_heads():
    pages = [page(("heading", "Methods", TOP)) for _ in range(4)]
    assert kinds(pages) == [[BlockType.HEADING]] + [[BlockType.HEADER]] * 3


def test_the_same_line_at_other_heights_or_far_apart_is_text():
    moved = [
        page(("text", "Exercises", (0.1, 0.02 + 0.03 * n, 0.9, 0.03 + 0.03 * n))) for n in range(4)
    ]
    assert kinds(moved) == [[BlockType.TEXT]] * 4
    rare = [page(("text", "Exercises" if n % 5 == 0 else f"x{'y' * n}", TOP)) for n in range(16)]
    assert {kind for kinds_of in kinds(rare) for kind in kinds_of} == {BlockType.TEXT}


def test_memory_is_bounded_whatever_stands_at_the_top():
    survey = FurnitureSurvey()
    for number in range(1, 12_001):
        lines = [f"{chr(97 + n)}{number:b}".translate({48: "x", 49: "y"}) for n in range(4)]
        survey.add(number, page(*(("text", line, TOP) for line in lines)))
    assert len(survey._seen) <= 20_000
