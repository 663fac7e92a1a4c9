"""Scores against values of an independent scorer, and bounds of the tree edit distance."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.measures import score
from shared.measures.table_trees import TreeCell, html_rows, likeness


def sentences(numbers):
    return "".join(f"Sentence number {n} stands here with words {n * 7}. " for n in numbers)


# truth, reading, NED, CER, order, TEDS: the figures are those of the corpus's scorer
CASES = [
    (
        "# A title\n\nThe quick brown fox jumps over the lazy dog.",
        "# A title\n\nThe quick brown fox jumps over the lazy dog.",
        0.0,
        0.0,
        None,
        None,
    ),
    (
        "The quick brown fox jumps over the lazy dog.",
        "The qu1ck brown fox jumped over a lazy dog",
        0.1591,
        0.1591,
        None,
        None,
    ),
    ("one two three", "one two three four five six seven eight", 0.6667, 2.0, None, None),
    ("“Quoted” – text with an exam-\nple", '"Quoted" - text with an example', 0.0, 0.0, None, None),
    ("中文测试，没有 空格。", "中文测验,没有空格.", 0.1, 0.1, None, None),
    (
        "%%IGNORE Running head 12\nBody text that is long enough.",
        "Running head 13\n\nBody text that is long enough.",
        0.0,
        0.0,
        None,
        None,
    ),
    (
        "Costs $x^2 + \\frac{a}{b}$ and $$E=mc^2$$ end",
        "Costs x2 + a/b and end",
        0.0,
        0.0,
        None,
        None,
    ),
    (
        "| A | B |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |",
        "<table><tr><td>A</td><td>B</td></tr><tr><td>1</td><td>7</td></tr></table>",
        0.4545,
        0.4545,
        None,
        0.6,
    ),
    (
        "<table><tr><td colspan=2>head</td></tr><tr><td>1</td><td>2</td></tr></table>",
        "<table><tr><td>head</td><td></td></tr><tr><td>1</td><td>2</td></tr></table>",
        0.0,
        0.0,
        None,
        0.7143,
    ),
    ("text\n\n<table><tr><td>a</td></tr></table>", "text", 0.3333, 0.3333, None, 0.0),
    (sentences(range(12)), sentences([*range(6, 12), *range(6)]), 0.0742, 0.0742, 0.5, None),
    (
        "- item *one*\n- item `two`\n\n> quote [link](http://x.y)",
        "item one\nitem two\nquote link",
        0.0,
        0.0,
        None,
        None,
    ),
]


@pytest.mark.parametrize(("truth", "reading", "ned", "cer", "order", "teds"), CASES)
def test_figures_are_those_of_the_scorer(truth, reading, ned, cer, order, teds):
    found = score(truth, reading)
    assert (found.ned, found.cer) == pytest.approx((ned, cer), abs=0.0001)
    for ours, theirs in ((found.order, order), (found.teds, teds)):
        assert ours == (None if theirs is None else pytest.approx(theirs, abs=0.0001))


TABLES = st.lists(
    st.lists(st.builds(TreeCell, st.text("ab", max_size=2), st.integers(1, 2)), max_size=3).map(
        tuple
    ),
    max_size=4,
).map(tuple)


@given(TABLES, TABLES)
def test_likeness_is_symmetric_and_between_nothing_and_one(left, right):
    found = likeness(left, right)
    assert found == pytest.approx(likeness(right, left))
    assert 0.0 <= found <= 1.0
    assert likeness(left, left) == (1.0 if left else 0.0)


def test_a_table_of_a_whole_page_is_compared_in_time():
    rows = tuple(tuple(TreeCell(f"{r}.{c}") for c in range(8)) for r in range(40))
    other = tuple(row[:7] for row in rows[1:])
    started = time.perf_counter()
    assert 0.8 < likeness(rows, other) < 1.0
    assert time.perf_counter() - started < 10
    huge = rows * 10
    assert likeness(huge, huge) == 1.0


def test_tables_are_read_with_spans_and_without_end_tags():
    (table,) = html_rows("<table><tr><td colspan=2>a<td rowspan='x'>b<br>c<tr><th>d</table>")
    assert table == ((TreeCell("a", 2), TreeCell("b c")), (TreeCell("d"),))
    assert html_rows("<table></table><p>x") == []
