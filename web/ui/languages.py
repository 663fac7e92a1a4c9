"""The words of the interface in other languages. English is the key; JSON files have the rest."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from web.front import Req
from web.ui.sentences import Sentences

LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}
LANGUAGE_COOKIE = "quire_language"
_FOLDER = Path(__file__).parent.parent / "locales"


class Words:
    """One language's words."""

    def __init__(
        self,
        language: str,
        known: Mapping[str, str],
        sentences: Mapping[str, str] | None = None,
    ) -> None:
        self.language = language
        self.known = known
        self.sentences = sentences or {}
        self.said = Sentences(self.sentences, known)

    def __call__(self, text: str, **values: Any) -> str:
        """The text in this language, its {names} filled in; English where it is not known."""
        found = self.known.get(text, text)
        return found.format(**values) if values else found

    def count(self, one: str, many: str, n: float, **values: Any) -> str:
        """`one` or `many`, by the number `n`, which both may name."""
        return self(one if n == 1 else many, n=f"{n:,}", **values)


@cache
def words_of(language: str) -> Words:
    """The words of a language that we have."""
    return Words(language, _read(language), _read(f"{language}.sentences"))


def _read(name: str) -> dict[str, str]:
    path = _FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def language_of(request: Req) -> str:
    """What the person chose, else the first of the browser's languages that we have."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    for part in request.headers.get("accept-language", "")[:200].split(","):
        name = part.partition(";")[0].strip().lower().partition("-")[0]
        if name in LANGUAGES:
            return name
    return "en"
