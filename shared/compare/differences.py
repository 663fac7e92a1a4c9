"""Word differences of two readings, in pieces that put together give both texts again."""

from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Indel

from shared.compare.tokens import Token, tokens_of

# The table of the longest common subsequence takes words squared over 8 bytes: 12 MB here.
MAX_WORDS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is same, changed, left (only there) or right (only there)."""

    kind: str
    left: str
    right: str

    def to_json(self) -> dict[str, Any]:
        """The piece as the API shows it."""
        return {"kind": self.kind, "left": self.left, "right": self.right}


def word_differences(left: str, right: str) -> tuple[list[Difference], bool]:
    """The pieces in order, and whether a text was too long and was cut at `MAX_WORDS`.

    Words are compared after NFKC and with one kind of quotes and dashes; Chinese and Japanese
    character by character. The spaces of the texts stay in the pieces.
    """
    ours, theirs = tokens_of(left), tokens_of(right)
    is_cut = max(len(ours), len(theirs)) > MAX_WORDS
    left, ours = _shortened(left, ours)
    right, theirs = _shortened(right, theirs)
    pieces: list[Difference] = []
    codes = Indel.opcodes([t.key for t in ours], [t.key for t in theirs])
    for code in codes:
        a = _slice(left, ours, code.src_start, code.src_end)
        b = _slice(right, theirs, code.dest_start, code.dest_end)
        _add(pieces, a, b, same=code.tag == "equal")
    return pieces, is_cut


def _shortened(text: str, tokens: list[Token]) -> tuple[str, list[Token]]:
    if len(tokens) <= MAX_WORDS:
        return text, tokens
    return text[: tokens[MAX_WORDS].start], tokens[:MAX_WORDS]


def _slice(text: str, tokens: list[Token], start: int, end: int) -> str:
    """The text of some tokens with the spaces behind each; what stands before the first too."""
    if start == end:
        return ""
    begin = tokens[start].start if start else 0
    finish = tokens[end].start if end < len(tokens) else len(text)
    return text[begin:finish]


def _add(pieces: list[Difference], left: str, right: str, *, same: bool) -> None:
    if not left and not right:
        return
    if not same and pieces and pieces[-1].kind != "same":
        last = pieces.pop()
        left, right = last.left + left, last.right + right
    kind = "same" if same else "changed" if left and right else "left" if left else "right"
    pieces.append(Difference(kind, left, right))
