import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from store.words import (
    HIT_END,
    HIT_START,
    Term,
    clean,
    fold,
    fts_query,
    index_text,
    parse_query,
    snippet,
)


@pytest.mark.parametrize(
    ("q", "terms"),
    [
        ("", []),
        ('!? -- "" \'', []),
        ("Fox", [Term(("fox",), True)]),
        ("of", [Term(("of",), False)]),
        ('"two Words"', [Term(("two", "words"), False)]),
        ("e-mail", [Term(("e", "mail"), True)]),
        ("北京", [Term(("北", "京"), False)]),
        ("GPU加速", [Term(("gpu", "加", "速"), False)]),
        ("a_b", [Term(("a", "b"), False)]),
        ('open "quote', [Term(("open",), True), Term(("quote",), True)]),
    ],
)
def test_queries(q, terms):
    assert parse_query(q) == terms


def test_queries_are_bounded():
    assert len(parse_query("ab " * 500)) == 32
    assert parse_query("x" * 5000) == [Term(("x" * 1000,), True)]


def test_text_for_the_index_parts_solid_characters():
    assert index_text("Plain ASCII") == "plain ascii"
    assert index_text("GPU加速3倍").split() == ["gpu", "加", "速", "3", "倍"]
    assert index_text("ｆｕｌｌ ﬁ").split() == ["full", "fi"]


def test_clean_removes_what_databases_refuse():
    assert clean("a\0b\ud800c😀") == "ab?c😀"


@given(st.text())
@example("\ud83d\ude00\0")
def test_clean_text_is_utf8_and_stays(text):
    once = clean(text)
    assert once.encode().decode() == once == clean(once)


def test_snippets():
    terms = parse_query("cafe strasse")
    assert snippet("Das Café in der Straße.", terms) == (
        f"Das {HIT_START}Café{HIT_END} in der {HIT_START}Straße{HIT_END}."
    )
    assert snippet("nothing of it", terms) == "nothing of it"
    assert snippet("", terms) == ""
    assert snippet("of office", parse_query("of")) == f"{HIT_START}of{HIT_END} office"
    assert snippet("concat cat", parse_query("cat")) == f"concat {HIT_START}cat{HIT_END}"


@given(st.text(), st.text(max_size=20))
@example("İİİ x", "i")
@example("ﷺ", "ص")
@example("가각", "가")
@settings(max_examples=300, deadline=None)
def test_a_snippet_is_a_part_of_the_text_with_balanced_marks(text, q):
    shown = snippet(text, parse_query(q))
    assert shown.count(HIT_START) == shown.count(HIT_END)
    bare = shown.replace(HIT_START, "").replace(HIT_END, "").strip("…")
    plain = text.replace(HIT_START, "").replace(HIT_END, "")
    assert "".join(bare.split()) in "".join(plain.split())
    assert len(shown) < 400


@given(st.text(max_size=200), st.text(max_size=60))
@example("Ⅷ²½", "½")
@example("ΣΊΣΥΦΟΣ", "σίσυφος")
@settings(max_examples=300, deadline=None)
def test_the_index_takes_every_query_and_finds_the_text_by_itself(text, q):
    connection = sqlite3.connect(":memory:")
    tokenizer = "tokenize = 'unicode61 remove_diacritics 2'"
    connection.execute(f"CREATE VIRTUAL TABLE pages USING fts5(words, {tokenizer})")
    connection.execute("INSERT INTO pages VALUES (?)", (index_text(clean(text)),))
    for query in (q, text):
        terms = parse_query(query)
        if terms:
            connection.execute("SELECT 1 FROM pages WHERE pages MATCH ?", (fts_query(terms),))
    connection.close()


@given(st.text())
def test_folding_twice_changes_nothing_more_for_ascii_and_chinese(text):
    plain = "".join(c for c in text if c.isascii() or "\u4e00" <= c <= "\u9fff")
    assert fold(fold(plain)) == fold(plain)
