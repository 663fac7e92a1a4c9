"""Sentences are told in other languages by the templates that the code makes them from."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.sentences import SAID
from web.ui.languages import LANGUAGES, words_of

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("bus", "deploy", "engines", "shared", "stages", "store", "web")
REFUSALS = {"Refused", "Conflict", "NotFound", "Busy", "TooLarge", "UnsupportedType"}
REFUSALS |= {"Forbidden", "WrongHost", "Unavailable", "Unauthorized"}
GAP = "\0"
NAMES = re.compile(r"\{(\w+)\}")
OTHERS = [code for code in LANGUAGES if code != "en"]


def literal(node: ast.AST) -> str | None:
    """A string or an f-string, each of its values as a gap."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or GAP for part in node.values)
    return None


def nodes(package: str) -> Iterator[ast.AST]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def gapped(template: str) -> str:
    return re.sub(r"\{\w+\}", GAP, template)


@pytest.fixture(scope="module")
def written() -> str:
    found = (literal(node) for package in PACKAGES for node in nodes(package))
    return "\n".join(text for text in found if text)


@pytest.mark.parametrize("language", OTHERS)
def test_each_template_is_one_of_the_code(language: str, written: str):
    templates = words_of(language).sentences
    assert [text for text in templates if gapped(text).rstrip(".") not in written] == []


@pytest.mark.parametrize("language", OTHERS)
def test_each_refusal_of_the_front_has_a_translation(language: str):
    templates = {gapped(text).strip() for text in words_of(language).sentences}
    missing = set()
    for node in nodes("web"):
        name = getattr(getattr(node, "func", None), "id", "")
        if isinstance(node, ast.Call) and name in REFUSALS and node.args:
            sentence = literal(node.args[0])
            # One that begins with a whole other sentence is told as two.
            alone = (sentence or GAP).removeprefix(f"{GAP} ")
            if sentence and alone != GAP and not templates & {sentence, alone}:
                missing.add(sentence)
    assert missing == set()


def said_by_engines() -> Iterator[str]:
    """What engines say with a stop at its end, but for prompts, samples and what ends a start."""
    for path in sorted((ROOT / "engines").rglob("*.py")):
        if path.name in {"capabilities.py", "calibrate.py", "registry.py"}:
            continue
        tree = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        parts = {
            id(part) for node in tree if isinstance(node, ast.JoinedStr) for part in node.values
        }
        parts |= {id(node.value) for node in tree if isinstance(node, ast.Expr)}  # docstrings
        for node in tree:
            text = "" if id(node) in parts else literal(node) or ""
            if text.endswith(".") and len(re.findall(r"[A-Za-z]{2,}", text)) > 2:
                yield text


@pytest.mark.parametrize("language", OTHERS)
def test_what_an_engine_says_is_told(language: str):
    said = words_of(language).said
    texts = list(said_by_engines())
    assert len(texts) > 50
    told = {
        text: re.sub(r"`.*?`", "", said(re.sub(f"^{GAP} (?=[A-Z])", "", text).replace(GAP, "7")))
        for text in texts
    }
    english = re.compile(r"\b[A-Za-z]+ [a-z]+ [a-z]+ [a-z]+\b")
    assert [text for text, other in told.items() if english.search(other)] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_uses_the_names_of_its_template(language: str):
    for text, translated in words_of(language).sentences.items():
        assert set(re.findall(r"\{(\w+)\}", translated)) <= set(re.findall(r"\{(\w+)\}", text)), (
            text
        )


@pytest.mark.parametrize(("english", "chinese"), SAID)
def test_sentences_are_told_one_by_one(english: str, chinese: str):
    assert words_of("zh").said(english) == chinese
    assert words_of("en").said(english) == english


def test_a_long_text_of_an_engine_takes_no_time():
    text = "The page " * 2000 + ". " * 2000
    assert words_of("zh").said(text).startswith("The page ")
