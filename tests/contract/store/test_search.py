"""Search: English and Chinese, short words, hostile queries, snippets."""

import pytest

from shared.errors import Refused
from store.words import HIT_END, HIT_START
from tests.fakes.store_work import done, finished, started

ENGLISH = "The quick brown fox jumps over the lazy dog. Straße, naïve café; e-mail: a_b@c.org."
CHINESE = "北京市海淀区的人工智能研究所发布了年度报告。"
MIXED = "使用GPU加速OCR识别，提高3倍速度"


@pytest.fixture
def pages(store):
    job = finished(store, [ENGLISH, CHINESE, MIXED], name="mixed.pdf")

    def found(q: str) -> list[int]:
        hits = store.search(q)
        assert all(hit.job == job.id and hit.document_name == "mixed.pdf" for hit in hits)
        return sorted(hit.page for hit in hits)

    return found


FOUND = [
    ("fox", [1]),
    ("FOX lazy", [1]),
    ("fox missing", []),
    ('"quick brown"', [1]),
    ("北", [2]),
    ("的", [2]),
    ("北京", [2]),
    ("智能", [2]),
    ("京北", []),
    ("人工智能研究所", [2]),
    ("报告 北京", [2]),
    ("海淀区的人", [2]),
    ("加速", [3]),
    ("倍", [3]),
    ("速度 GPU", [3]),
    ("GPU加速", [3]),
    ("龍", []),
    ("brown-fox", [1]),
    ("ｆｏｘ", [1]),
]


def test_found(pages):
    assert [(q, pages(q)) for q, _ in FOUND] == FOUND


def test_words_may_go_on_unless_quoted(store):
    finished(store, ["international conversions"])
    if store._database.engine.dialect.name == "sqlite":  # PostgreSQL takes parts of words
        assert store.search("nation") == []
        assert store.search('"convers"') == []
    assert [hit.page for hit in store.search("internat convers")] == [1]


HOSTILE = [
    "",
    " ",
    '"',
    '""',
    '"""',
    "*",
    "fox*",
    "NOT",
    "fox AND",
    "OR",
    "NEAR(fox dog, 2)",
    "words:fox",
    "-fox",
    "^fox",
    "{words}: fox",
    "(fox",
    "fox)",
    "fox + dog",
    "'; DROP TABLE jobs; --",
    "\0fox\0",
    "\ud800",
    "%",
    "_",
    "\\",
    "[a-z]+(",
    "(?:",
    "\u2068fox\u2069",
    "a" * 100_000,
    "fox " * 5000,
    "北" * 3000,
    '"' * 4001,
    "😀",
    "ﷺ" * 1000,
    "\u0301\u0301",
    "हिन्दी ภาษาไทย 한국어 ελληνικά",
    "½ ² ﬁ Ⅷ",
]


def test_hostile_queries_are_just_words(store, pages):
    for q in HOSTILE:
        assert set(pages(q)) <= {1, 2, 3}, q
        store.jobs(q=q)
    assert pages("fox") == [1]


def test_other_scripts(store):
    texts = ["हिन्दी भाषा", "ภาษาไทย", "한국어를 배우다", "ελληνικά ΣΊΣΥΦΟΣ", "Ⅷ ﬁnden"]
    finished(store, texts)
    queries = ["हिन्दी", "ไทย", "한국", "σίσυφος", "finden"]
    if store._database.engine.dialect.name != "sqlite":  # PostgreSQL does not fold what it stores
        assert [hit.page for hit in store.search("한국")] == [3]
        return
    for page, q in enumerate(queries, start=1):
        assert [hit.page for hit in store.search(q)] == [page], q


def test_snippets_show_the_hit(store):
    text = "start " * 100 + "the needle in <b>hay</b>\n\nmore " + "end " * 100
    finished(store, [text])
    (hit,) = store.search("needle HAY")
    assert f"{HIT_START}needle{HIT_END} in <b>{HIT_START}hay{HIT_END}</b> more" in hit.snippet
    assert hit.snippet[0] == hit.snippet[-1] == "…"
    assert len(hit.snippet) < 200


def test_snippets_of_chinese_mark_phrases(store):
    finished(store, ["无关的话。" * 60 + "北京市海淀区" + "其他文字。" * 60])
    (hit,) = store.search("海淀")
    assert f"{HIT_START}海淀{HIT_END}区" in hit.snippet
    assert len(hit.snippet) < 200


def test_marks_in_the_text_cannot_be_mistaken(store):
    finished(store, [f"plain {HIT_START}fake{HIT_END} needle"])
    (hit,) = store.search("needle")
    assert hit.snippet == f"plain fake {HIT_START}needle{HIT_END}"


def test_hits_are_paged_and_best_first(store):
    finished(store, ["apple and many other words here " * 9, "apple apple apple", "pear"])
    if store._database.engine.dialect.name == "sqlite":
        assert [hit.page for hit in store.search("apple")] == [2, 1]
    both = [hit.page for n in range(2) for hit in store.search("apple", limit=1, offset=n)]
    assert sorted(both) == [1, 2]
    assert store.search("apple", offset=2) == []
    for values in ({"limit": 0}, {"limit": -1}, {"offset": -1}):
        with pytest.raises(Refused):
            store.search("apple", **values)


def test_only_what_is_committed_and_not_deleted_is_found(store):
    job = started(store, pages=2)
    store.settle([done(job, 1, "harvest")])
    assert [hit.page for hit in store.search("harvest")] == [1]
    store.cancel_job(job.id)
    assert [hit.page for hit in store.search("harvest")] == [1]  # partial work stays readable
    store.delete_job(job.id)
    assert store.search("harvest") == []
    assert store.jobs(q="harvest") == ([], None)


def test_a_page_without_text_is_no_hit(store):
    finished(store, ["", "words"])
    assert [hit.page for hit in store.search("words")] == [2]
