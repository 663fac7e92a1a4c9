"""NED, CER, reading order and TEDS of one reading against its truth."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from shared.measures.comparable import Comparable, ignored_lines, normal
from shared.measures.table_trees import Rows, likeness

_CHUNK = 24  # letters: long enough to stand once on a page, short enough to be read whole
_FEWEST = 3  # chunks that say something about order
_FOUND = 75  # of 100: a chunk with some wrong letters is still that chunk


@dataclass(frozen=True, slots=True)
class Scores:
    """`ned`: edit distance over the longer length, 0..1. `cer`: over the truth's length, may be
    above 1. `order`: share of the truth's pieces that stand out of order (1 - longest increasing
    run / pieces). `teds`: mean likeness of tables. None where the truth says nothing about it.
    """

    ned: float
    cer: float
    order: float | None = None
    teds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"ned": self.ned, "cer": self.cer, "order": self.order, "teds": self.teds}


def score(truth: str, reading: str) -> Scores:
    """Measure a reading (Markdown or text) against the truth."""
    right = Comparable.of(truth)
    ours = Comparable.of(reading, ignored_lines(truth))
    distance = Levenshtein.distance(right.text, ours.text)
    longest = max(len(right.text), len(ours.text), 1)
    found = Scores(distance / longest, distance / max(len(right.text), 1))
    order = _order(_letters(right.lined), _letters(ours.lined))
    return replace(found, order=order, teds=_tables(right.tables, ours.tables))


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", normal(text)).lower()


def _order(truth: str, reading: str) -> float | None:
    starts = range(0, max(1, len(truth) - 15), _CHUNK)
    chunks = [truth[start : start + _CHUNK] for start in starts] if len(truth) >= 16 else []
    places = [place for place in (_place(chunk, reading) for chunk in chunks) if place is not None]
    if len(places) < _FEWEST:
        return None
    return 1 - _longest_rise(places) / len(places)


def _place(chunk: str, text: str) -> int | None:
    """Where the chunk stands; None where it stands twice, which says nothing, or nowhere."""
    if not text:
        return None
    at = text.find(chunk)
    if at >= 0:
        return None if text.find(chunk, at + 1) >= 0 else at
    alignment = fuzz.partial_ratio_alignment(chunk, text, score_cutoff=_FOUND)
    return alignment.dest_start if alignment is not None else None


def _longest_rise(values: Sequence[int]) -> int:
    """Length of the longest increasing subsequence."""
    ends: list[int] = []
    for value in values:
        at = bisect_left(ends, value)
        ends[at : at + 1] = [value]
    return len(ends)


def _tables(truth: Sequence[Rows], reading: Sequence[Rows]) -> float | None:
    """Mean TEDS over the truth's tables, each with the likest of the reading that is left."""
    if not truth:
        return None
    left = [_compared(rows) for rows in reading]
    scores: list[float] = []
    for rows in map(_compared, truth):
        words = _flat(rows)
        best = max(left, key=lambda other: fuzz.ratio(words, _flat(other)), default=None)
        scores.append(likeness(best, rows) if best is not None else 0.0)
        if best is not None:
            left.remove(best)
    return sum(scores) / len(scores)


def _compared(rows: Rows) -> Rows:
    return tuple(
        tuple(replace(cell, text=re.sub(r"\s+", "", normal(cell.text))) for cell in row)
        for row in rows
    )


def _flat(rows: Rows) -> str:
    return "".join(cell.text for row in rows for cell in row)
