"""Right-to-left text in the order in which it stands on the page.

A PDF places letters; whoever extracts them expects Hebrew and Arabic from right to left and turns
them round. This is the common part of the Unicode bidirectional algorithm: the base direction of
the line, runs against it, numbers, mirrored brackets; without embeddings and overrides.
"""

import re
import unicodedata

_STRONG = {"L": "L", "R": "R", "AL": "R"}
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_ANY_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")


def visual_order(text: str) -> str:
    """The line from left to right as it is printed; unchanged where nothing runs the other way."""
    if _ANY_RIGHT_TO_LEFT.search(text) is None:
        return text
    kinds = [unicodedata.bidirectional(character) for character in text]
    strong = [_STRONG[kind] for kind in kinds if kind in _STRONG]
    base = strong[0] if strong else "R"
    runs = _runs(text, kinds, base)
    if base == "R":
        runs.reverse()
    return "".join(_turned(run) if side == "R" else run for side, run in runs)


def _runs(text: str, kinds: list[str], base: str) -> list[tuple[str, str]]:
    """(direction, text) pieces; what has none takes that of both its neighbours, or base."""
    sides = [_STRONG.get(kind, "L" if kind in {"EN", "AN"} else "") for kind in kinds]
    at = 0
    while at < len(sides):
        if sides[at]:
            at += 1
            continue
        end = at
        while end < len(sides) and not sides[end]:
            end += 1
        before = sides[at - 1] if at else base
        after = sides[end] if end < len(sides) else base
        sides[at:end] = [before if before == after else base] * (end - at)
        at = end
    runs: list[tuple[str, str]] = []
    for side, character in zip(sides, text, strict=True):
        if runs and runs[-1][0] == side:
            runs[-1] = (side, runs[-1][1] + character)
        else:
            runs.append((side, character))
    return runs


def _turned(run: str) -> str:
    """Backwards, each letter still before the marks that belong to it."""
    clusters: list[str] = []
    for character in run:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return "".join(reversed(clusters)).translate(_MIRRORED)
