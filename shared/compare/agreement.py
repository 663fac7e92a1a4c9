"""How far two readings of a page agree: in characters, in words, and in reading order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from shared.compare.tokens import keys_of, unified

# Edit distance costs characters squared over 64: 8 ms at this length. Longer pages are compared
# by words, and beyond the second limit (200,000 characters) only in their first part.
MAX_CHARACTERS = 24_000
MAX_WORDS = 40_000
_FEWEST_MARKS = 3  # words that stand once in both readings: fewer say nothing about order


@dataclass(frozen=True, slots=True)
class Agreement:
    """`agreement` 0..1: 1 minus the normalised edit distance of the texts.

    `words_in_common` 0..1: the Dice coefficient of the words, wherever they stand.
    `order_difference` 0..1: share of the pairs of words that stand the other way round (Kendall
    tau distance over words that stand once in both); None where too few do.
    """

    agreement: float
    words_in_common: float
    order_difference: float | None


@dataclass(frozen=True, slots=True)
class PageAgreement:
    """The agreement of two readings of one page; the engines are those that were asked for."""

    page: int
    engine: str
    other_engine: str
    measured: Agreement


def measure(left: str, right: str) -> Agreement:
    """Compare two plain texts. Two empty ones agree."""
    words = keys_of(left)[:MAX_WORDS], keys_of(right)[:MAX_WORDS]
    return Agreement(
        agreement=round(_alike(unified(left), unified(right), words), 4),
        words_in_common=round(_in_common(*words), 4),
        order_difference=_order_difference(*words),
    )


def _alike(left: str, right: str, words: tuple[list[str], list[str]]) -> float:
    if left == right:
        return 1.0
    if max(len(left), len(right)) <= MAX_CHARACTERS:
        return float(Levenshtein.normalized_similarity(left, right))
    return float(Levenshtein.normalized_similarity(*words))


def _in_common(left: Sequence[str], right: Sequence[str]) -> float:
    if not left and not right:
        return 1.0
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right))


def _order_difference(left: Sequence[str], right: Sequence[str]) -> float | None:
    places = _single(right)
    order = [places[word] for word in _single(left) if word in places]
    count = len(order)
    if count < _FEWEST_MARKS:
        return None
    return round(_inversions(order) / (count * (count - 1) / 2), 4)


def _single(words: Sequence[str]) -> dict[str, int]:
    """Place of each word that stands just once."""
    counts = Counter(words)
    return {word: place for place, word in enumerate(words) if counts[word] == 1}


def _inversions(order: Sequence[int]) -> int:
    """Pairs that are the wrong way round, counted while merging: n log n."""
    values = list(order)
    found = 0
    width = 1
    while width < len(values):
        merged: list[int] = []
        for start in range(0, len(values), 2 * width):
            left, right = values[start : start + width], values[start + width : start + 2 * width]
            at = 0
            for value in right:
                while at < len(left) and left[at] <= value:
                    merged.append(left[at])
                    at += 1
                found += len(left) - at
                merged.append(value)
            merged += left[at:]
        values = merged
        width *= 2
    return found
