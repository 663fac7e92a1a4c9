"""Text for the search index, queries from what people type, and snippets. No SQL here.

SQLite's FTS5 tokenizer takes a run of Chinese characters as one word, and its trigram tokenizer
finds nothing shorter than three characters. So each character of a script without spaces is
indexed as a word of its own, and a query for several of them is a phrase.
"""

import re
import unicodedata
from dataclasses import dataclass

# Han with all extensions, kana, bopomofo, Hangul, Thai, Lao, Burmese, Khmer: no spaces, or (Hangul)
# spaces that do not part a noun from its particle.
SOLID = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ede\u1000-\u109f\u1100-\u11ff\u1780-\u17dd"
    "\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U00016fe0-\U00018aff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_SOLID_CHARACTER = re.compile(f"([{SOLID}])")
_TOKEN = re.compile(f"[{SOLID}]|[^\\W_{SOLID}]+")
_CHUNK = re.compile(r'"([^"]*)"|([^\s"]+)')
_MAX_QUERY_CHARACTERS = 1000  # nobody types more; each term costs an index look-up
_MAX_TERMS = 32
_PREFIX_CHARACTERS = 3  # shorter words match whole: "of" is not "office"
_SNIPPET_CHARACTERS = 160
_SNIPPET_LEAD = 50  # characters shown before the first hit
HIT_START, HIT_END = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class Term:
    """Tokens that follow each other; with `prefix` the last may go on."""

    tokens: tuple[str, ...]
    prefix: bool


def clean(text: str) -> str:
    """The text without what databases refuse: NUL and lone surrogates."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def fold(text: str) -> str:
    """The text as compared: compatibility forms joined (ﬁ, full width), no case."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


def index_text(text: str) -> str:
    """The text as the index stores it: folded, with spaces around solid characters."""
    folded = fold(text)
    return folded if folded.isascii() else _SOLID_CHARACTER.sub(r" \1 ", folded)


def parse_query(q: str) -> list[Term]:
    """The terms that must all occur; [] when there is no letter or digit in it.

    Text in double quotes is a phrase of whole words. Everything else is taken literally: there
    are no operators. Only the first 1,000 characters and 32 terms count.
    """
    terms: list[Term] = []
    for match in _CHUNK.finditer(fold(clean(q[:_MAX_QUERY_CHARACTERS]))):
        tokens = tuple(_TOKEN.findall(match[1] or match[2] or ""))
        if tokens:
            prefix = match[2] is not None and len(tokens[-1]) >= _PREFIX_CHARACTERS
            terms.append(Term(tokens, prefix))
    return terms[:_MAX_TERMS]


def fts_query(terms: list[Term]) -> str:
    """FTS5 syntax for the terms. Tokens are letters and digits only, in double quotes."""
    return " AND ".join(
        '"' + " ".join(term.tokens) + '"' + ("*" if term.prefix else "") for term in terms
    )


def snippet(text: str, terms: list[Term]) -> str:
    """About 160 characters of `text` around the first hit, hits between U+2068 and U+2069.

    The beginning of the text when no term is found in it (the index folds a little more).
    """
    text = text.replace(HIT_START, "").replace(HIT_END, "")
    hits = _find(text, terms)
    start = max(0, hits[0][0] - _SNIPPET_LEAD) if hits else 0
    end = min(len(text), start + _SNIPPET_CHARACTERS)
    if start:
        space = text.find(" ", start, hits[0][0])
        start = space + 1 if space >= 0 else start
    pieces = ["…" if start else ""]
    at = start
    for first, last in hits:
        if first >= at and last <= end:
            pieces += [text[at:first], HIT_START, text[first:last], HIT_END]
            at = last
    pieces += [text[at:end], "…" if end < len(text) else ""]
    return " ".join("".join(pieces).split())


def _find(text: str, terms: list[Term]) -> list[tuple[int, int]]:
    """Where terms occur in `text`: (start, end) in characters, ascending, not overlapping."""
    folded, origin = _folded_with_origin(text)
    found: list[tuple[int, int]] = []
    for term in terms:
        found += [
            (origin[match.start()], origin[match.end() - 1] + 1)
            for match in _term_pattern(term).finditer(folded)
        ]
    hits: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if hits and first < hits[-1][1]:
            hits[-1] = (hits[-1][0], max(last, hits[-1][1]))
        else:
            hits.append((first, last))
    return hits


def _term_pattern(term: Term) -> re.Pattern[str]:
    tokens = [re.escape(_bare(token)) for token in term.tokens]
    word = f"[^\\W_{SOLID}]"
    before = "" if _SOLID_CHARACTER.fullmatch(term.tokens[0]) else f"(?<!{word})"
    solid_end = _SOLID_CHARACTER.fullmatch(term.tokens[-1])
    after = "" if solid_end else (f"{word}*" if term.prefix else f"(?!{word})")
    return re.compile(before + r"[\W_]*".join(tokens) + after)


def _bare(text: str) -> str:
    """Folded and without accents, as FTS5's unicode61 compares."""
    decomposed = unicodedata.normalize("NFKD", fold(text))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _folded_with_origin(text: str) -> tuple[str, list[int]]:
    """The bare text and, for each of its characters, the index in `text` that it came from."""
    if text.isascii():
        return text.lower(), list(range(len(text)))
    characters: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        bare = character.lower() if character.isascii() else _bare(character)
        characters.append(bare)
        origin.extend([index] * len(bare))
    return "".join(characters), origin
