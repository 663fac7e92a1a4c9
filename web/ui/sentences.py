"""Sentences that other parts of quire have written, in another language.

Reasons, problems and refusals are stored and sent in English, whoever reads them. A page tells
them in the person's language by the template that they were made from: the English template is
the key of a translation, and what fills its {names} is found in the sentence. What has no template,
as the words of an engine, stays English. `static/sentences.js` does the same in the browser.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

_NAME = re.compile(r"\{(\w+)\}")
_WORD, _NUMBER = r"\S+?", r"[\d.,]+?"
# What a name can stand for; any other for anything up to the end of the sentence.
_VALUES = {
    "engine": _WORD,
    "worker": _WORD,
    "state": r"[a-z]+",
    **dict.fromkeys(("n", "seconds", "many", "most", "least", "times"), _NUMBER),
}
_ANYTHING = r"(?:(?!\. ).)*?"
_MAX_DEPTH = 8  # sentences behind and inside each other
_CJK_END = re.compile("[\u3000-\u303f\uff00-\uffef]$")


class Sentences:
    """The templates of one language; `words` has the names of states."""

    def __init__(self, templates: Mapping[str, str], words: Mapping[str, str]) -> None:
        longest_first = sorted(templates, key=lambda text: -len(_NAME.sub("", text)))
        self._patterns = [(pattern_of(text), templates[text]) for text in longest_first]
        self._words = words
        self._told = lru_cache(maxsize=4096)(self._tell)  # the same few stand at many pages

    def __call__(self, text: str) -> str:
        """The text with each sentence that is known in this language."""
        return self._told(text, 0) if self._patterns and text else text

    def _tell(self, text: str, depth: int) -> str:
        if depth > _MAX_DEPTH:
            return text
        if text in self._words:
            return self._words[text]
        for pattern, translation in self._patterns:
            match = pattern.match(text)
            if match is not None:
                values = {key: self._part(value, depth) for key, value in match.groupdict().items()}
                told = _NAME.sub(lambda name: values[name[1]], translation)  # noqa: B023
                return _joined(told, self._rest(text[match.end() :], depth))
        head, stop, tail = text.partition(". ")
        return f"{head}{stop}{self._told(tail, depth + 1)}" if stop else text

    def _part(self, value: str, depth: int) -> str:
        """What fills a name; the space before a part is that of English."""
        told = self._told(value.strip(), depth + 1)
        return value if told == value.strip() else told

    def _rest(self, rest: str, depth: int) -> str:
        return self._told(rest.lstrip(), depth + 1) if rest.strip() else ""


def pattern_of(template: str) -> re.Pattern[str]:
    """What a sentence made from this template looks like, at the beginning of a text.

    One that ends without a stop, or with a name, is the whole text: it is part of a sentence.
    """
    pieces = _NAME.split(template)
    names = [f"(?P<{name}>{_VALUES.get(name, _ANYTHING)})" for name in pieces[1::2]]
    ends_open = not pieces[-1]
    if ends_open:
        names[-1] = f"(?P<{pieces[-2]}>.*)"
    literals = [re.escape(piece) for piece in pieces[::2]]
    body = "".join(a + b for a, b in zip(literals, [*names, ""], strict=True))
    is_whole = ends_open or not template.endswith((".", "?", ".)"))
    return re.compile(body + ("$" if is_whole else r"(?=\s|$)"), re.DOTALL)


def _joined(told: str, rest: str) -> str:
    space = " " if rest and not _CJK_END.search(told) else ""
    return f"{told}{space}{rest}"
