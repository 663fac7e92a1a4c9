"""Hard line breaks that a page's width made, taken out again; words that they cut, made whole.

A break is the width's when the next line's first word would not have fitted; it is the author's
(an address, a poem, a list) when it would have. Chinese and Japanese are joined without a space.
"""

import re
import unicodedata
from collections.abc import Set as AbstractSet
from itertools import pairwise

# Lines are "full" when the next word would have passed this share of the longest line: ragged
# right margins of justified books stay within a tenth, poems and addresses do not.
_FULL_SHARE = 0.9
_MAX_TEXT = 200_000  # longer blocks are no prose: they keep their breaks

_MARKER = re.compile(
    r"\s*(?:[-*+•◦▪●○■□·‣⁃∙]\s|\d{1,3}[.)]\s|[(（]\w{1,4}[)）]|\[\^?\w{1,6}\]|#{1,6}\s|>|\|)"
)
_LEFT_WORD = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)[-\u2010]$")
_RIGHT_WORD = re.compile(r"[^\W\d_]+")
_COMPOUND = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")
_SPACES = re.compile(r"[ \t\u00a0]+")
_KEEPS_HYPHEN = frozenset({"self", "well", "ex", "all", "half", "cross", "non", "quasi"})
_SUSPENDED = frozenset({"and", "or", "und", "oder", "bis", "et", "ou", "y", "o", "e", "to"})
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def clean_text(text: str) -> str:
    """NFC, one kind of line end, without control characters and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))
    return unicodedata.normalize("NFC", text)


def compounds_of(text: str) -> set[str]:
    """Hyphenated words that stand inside a line, lower case: proof that the hyphen belongs."""
    return {match[0].lower() for match in _COMPOUND.finditer(text)} if "-" in text else set()


def is_cjk(character: str) -> bool:
    """Whether it is written without spaces: Han, kana, and their punctuation; not Hangul."""
    code = ord(character)
    return (
        0x2E80 <= code <= 0x312F  # radicals, CJK punctuation, kana, bopomofo
        or 0x31A0 <= code <= 0x4DBF
        or 0x4E00 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0xFE30 <= code <= 0xFE4F
        or 0xFF00 <= code <= 0xFF60
        or 0x20000 <= code <= 0x3FFFF
    )


def _is_wide_punctuation(character: str) -> bool:
    return is_cjk(character) and unicodedata.category(character)[0] in "PZ"


def join_pair(
    left: str, right: str, compounds: AbstractSet[str] = frozenset()
) -> tuple[str, str, str]:
    """(left, glue, right) of two parts of one sentence; the glue is "" or a space.

    A hyphen that only the break made is dropped: it stays when the compound is known from
    elsewhere in the document, after prefixes that keep it, before capitals and digits.
    """
    left, right = left.rstrip(), right.lstrip()
    if not left or not right:
        return left, "", right
    if left.endswith("\u00ad"):
        return left[:-1], "", right
    cut = _LEFT_WORD.search(left[-80:])
    if cut is not None and right[0].isalpha():
        return _join_hyphen(left, right, cut[1], compounds)
    hyphen = left[-1] in "-\u2010" and left[-2:-1].isalnum() and right[0].isalnum()
    cjk = is_cjk(left[-1]) and is_cjk(right[0])
    wide = _is_wide_punctuation(left[-1]) or _is_wide_punctuation(right[0])
    return left, "" if hyphen or cjk or wide else " ", right


def _join_hyphen(
    left: str, right: str, word: str, compounds: AbstractSet[str]
) -> tuple[str, str, str]:
    match = _RIGHT_WORD.match(right)
    following = match[0] if match else right[0]
    if following.lower() in _SUSPENDED:
        return left, " ", right
    belongs = (
        not following[0].islower()
        or len(word) == 1
        or "-" in word
        or word.lower() in _KEEPS_HYPHEN
        or f"{word}-{following}".lower() in compounds
    )
    return (left, "", right) if belongs else (left[:-1], "", right)


def join_lines(text: str, compounds: AbstractSet[str] = frozenset()) -> str:
    """The text with the page's line breaks taken out; blank lines still part paragraphs.

    A paragraph's breaks are judged together: it is either prose, and joined, or verse, and kept.
    Lines that begin with a list mark, and breaks that Markdown makes hard, always stay.
    """
    text = text.strip("\n")
    if "\n" not in text or len(text) > _MAX_TEXT:
        return text
    paragraphs = re.split(r"\n[ \t]*\n\s*", text)
    return "\n\n".join(_join_paragraph(paragraph, compounds) for paragraph in paragraphs)


def _join_paragraph(paragraph: str, compounds: AbstractSet[str]) -> str:
    lines = [line for line in paragraph.split("\n") if line.strip()]
    if len(lines) < 2:
        return paragraph.strip()
    free = [_is_free(a, b) for a, b in pairwise(lines)]
    longest = max(_width(line) for line in lines)
    judged = [i for i, is_free in enumerate(free) if is_free]
    full = [i for i in judged if _is_full(lines[i], lines[i + 1], longest)]
    is_prose = len(full) * 5 >= len(judged) * 4  # an engine drops a word here and there
    parts = [lines[0].strip()]
    for index, line in enumerate(lines[1:]):
        if is_prose and free[index]:
            left, glue, right = join_pair(parts[-1], line, compounds)
            parts[-1] = f"{left}{glue}{right}"
        else:
            if lines[index].endswith("  "):
                parts[-1] += "  "
            parts.append(line.strip())
    return "\n".join(parts)


def _is_free(line: str, following: str) -> bool:
    """Whether the break may be the width's at all."""
    hard = line.endswith(("  ", "\\")) or line.rstrip().endswith(("<br>", "<br/>"))
    return not hard and _MARKER.match(following) is None


def _is_full(line: str, following: str, longest: int) -> bool:
    line, following = line.strip(), following.strip()
    if line[-1] in "-\u2010\u00ad":
        return True
    first = following[0] if is_cjk(following[0]) else _SPACES.split(following, maxsplit=1)[0]
    return _width(line) + 1 + _width(first) > longest * _FULL_SHARE


def _width(text: str) -> int:
    return sum(2 if is_cjk(character) else 1 for character in text.strip())
