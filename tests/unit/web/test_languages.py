"""Every word of the pages is known in every language, and nothing that is known is unused."""

import json
import re
import string
from pathlib import Path

import pytest

from shared.blocks import BlockType
from shared.states import JobState, PageState
from web.ui.job_view import _FORMAT_WORDS
from web.ui.languages import LANGUAGES, Words, words_of
from web.ui.page_view import _NOTHING_YET

WEB = Path(__file__).resolve().parents[3] / "web"
STATUSES = [
    "healthy",
    "degraded",
    "unhealthy",
    "ready",
    "loading",
    "draining",
    "blocked",
    "lost",
]
MARKS = ["queued", "running", "done", "retried", "fallback", "failed", "quarantined", "cancelled"]
OUTCOMES = ["refused", "failed", "crashed", "outside", "outage"]
# Written into the pages under a name that is only known when they are shown.
BY_NAME = {
    "disabled",
    *(f"block {kind.value}" for kind in BlockType),
    *(f"page {mark}" for mark in MARKS),
    *(f"attempt {outcome}" for outcome in OUTCOMES),
}
OTHERS = {
    *(state.value for state in JobState),
    *(state.value for state in PageState),
    *STATUSES,
    *_NOTHING_YET.values(),
    *(set(_FORMAT_WORDS.values()) - {"Markdown", "HTML", "JSON", "hOCR"}),  # names of formats
    "from the text layer",
    "by OCR",
    "by a model",
    "Everything as ZIP",
}


def written() -> set[str]:
    """The words that templates, scripts and filters name."""
    found: set[str] = set()
    for path in [*(WEB / "templates").glob("*.html"), *(WEB / "ui").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"""\b(?:_|words)\(['"]((?:[^'"\\]|\\.)+)['"]""", text))
        for pair in re.findall(r"""\b(?:_|words)\.count\(['"](.+?)['"], ['"](.+?)['"]""", text):
            found |= set(pair)
    for path in (WEB / "static").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'\bword\("([^"]+)"', text))
        for pair in re.findall(r'\bcount\("([^"]+)", "([^"]+)"', text):
            found |= set(pair)
    return found - {"page ", "block ", "attempt "}


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_word_is_translated_and_none_is_left_over(language):
    known = set(words_of(language).known)
    assert written() | BY_NAME | OTHERS == known


def test_english_has_words_for_what_has_only_a_name():
    assert set(words_of("en").known) == BY_NAME


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_translation_fills_in_the_same_names(language):
    for text, translated in words_of(language).known.items():
        assert names_in(text) == names_in(translated), text


def test_files_are_sorted_so_that_changes_can_be_read():
    for path in (WEB / "locales").glob("zh*.json"):
        keys = list(json.loads(path.read_text(encoding="utf-8")))
        assert keys == sorted(keys)


def test_what_is_not_known_stays_english():
    words = Words("xx", {"{n} page": "{n} Blatt"})
    assert words.count("{n} page", "{n} pages", 1) == "1 Blatt"
    assert words.count("{n} page", "{n} pages", 1200) == "1,200 pages"
    assert words("Page {n}", n="<b>") == "Page <b>"
