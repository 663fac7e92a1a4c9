import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refused
from shared.page_ranges import parse_pages, select_pages


@pytest.mark.parametrize(
    ("text", "count", "pages"),
    [
        ("", 3, [1, 2, 3]),
        ("  ", 2, [1, 2]),
        ("2", 3, [2]),
        ("1-3,8", 9, [1, 2, 3, 8]),
        ("3,1-2,2", 5, [1, 2, 3]),
        ("5-", 7, [5, 6, 7]),
        ("-2", 7, [1, 2]),
        (" 1 - 2 , 4 ", 5, [1, 2, 4]),
        ("2-999999", 3, [2, 3]),
        ("1,9", 3, [1]),
    ],
)
def test_a_selection_names_pages_once_and_in_order(text, count, pages):
    assert select_pages(text, count) == pages


@pytest.mark.parametrize(
    "text",
    [
        *("x", "1-x", "0", "0-3", "3-1", "-", ",", "1,,2", "1 2", "1.5", "1--2", "-0", "٣", "1\n2"),
        *("9999999", "1," * 1001 + "1"),
    ],
)
def test_what_is_no_selection_is_refused(text):
    with pytest.raises(Refused) as caught:
        parse_pages(text)
    assert (caught.value.code, caught.value.param) == ("bad_page_range", "pages")
    assert len(str(caught.value)) < 200


def test_a_selection_outside_of_the_document_is_refused_with_the_page_count():
    with pytest.raises(Refused, match="has 1 page; the selection '2-' names none"):
        select_pages("2-", 1)


@given(st.sets(st.integers(1, 200), min_size=1))
def test_a_list_of_pages_selects_just_these(pages):
    assert select_pages(",".join(map(str, pages)), 200) == sorted(pages)


@given(st.text("0123456789-, ", max_size=20), st.integers(1, 50))
def test_any_text_selects_pages_of_the_document_or_is_refused(text, count):
    try:
        pages = select_pages(text, count)
    except Refused:
        return
    assert pages == sorted(set(pages))
    assert set(pages) <= set(range(1, count + 1))
