import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.render.lines import clean_text, compounds_of, join_lines, join_pair


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        ("an exam-", "ple of it", "an example of it"),
        ("state-of-the-", "art work", "state-of-the-art work"),
        ("the Anglo-", "Saxon king", "the Anglo-Saxon king"),
        ("COVID-", "19 cases", "COVID-19 cases"),
        ("by e-", "mail", "by e-mail"),
        ("a self-", "made man", "a self-made man"),
        ("Haupt-", "und Nebensatz", "Haupt- und Nebensatz"),
        ("soft\u00ad", "ened", "softened"),
        ("two words", "meet", "two words meet"),
        ("他说今天", "天气很好", "他说今天天气很好"),
        ("他说，", "today is fine", "他说，today is fine"),
        ("한국어는", "띄어 쓴다", "한국어는 띄어 쓴다"),
        ("1990-", "2000", "1990-2000"),
        ("a dash -", "then more", "a dash - then more"),
        ("", "x", "x"),
    ],
)
def test_two_lines_become_one(left, right, joined):
    assert "".join(join_pair(left, right)) == joined


def test_a_compound_known_from_elsewhere_keeps_its_hyphen():
    known = compounds_of("A well-known and Long-Term plan.")
    assert known == {"well-known", "long-term"}
    assert "".join(join_pair("a long-", "term plan", known)) == "a long-term plan"


def test_prose_is_joined():
    text = "It was the best of times, it was\nthe worst of times, it was the age\nof wisdom."
    assert join_lines(text) == text.replace("\n", " ")


@pytest.mark.parametrize(
    "text",
    [
        "Jane Doe\n12 Main Street\nSpringfield, Illinois 62704",
        "To see a world\nin a grain of sand\nand a heaven in a wild flower, hold infinity",
        "Intro line that is long enough to be full:\n- one\n- two",
        "first line made hard by two spaces  \nsecond line that follows it at once",
    ],
)
def test_breaks_that_the_author_made_stay(text):
    assert join_lines(text) == text


def test_chinese_lines_are_joined_without_spaces():
    assert join_lines("春节是中国最重要的节日之一，\n家人团聚在一起吃年夜饭。") == (
        "春节是中国最重要的节日之一，家人团聚在一起吃年夜饭。"
    )


def test_cleaning_takes_controls_and_lone_surrogates_and_composes():
    assert clean_text("a\x00b\r\nc\ud800 e\u0301\x1b") == "ab\nc\ufffd \u00e9"


@given(st.text("ab -\n。中X1", max_size=60))
def test_joining_loses_no_letter_and_joining_again_changes_nothing(text):
    joined = join_lines(text)
    assert [c for c in joined if c.isalnum()] == [c for c in text if c.isalnum()]
    assert join_lines(joined).count("\n") <= joined.count("\n")
