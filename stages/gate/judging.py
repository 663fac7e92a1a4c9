"""The quality gate: whether an engine's answer for one page may stand.

Loops of several models: 1.5 to 35 % of the windows of 24 code points are distinct, and periodic
runs of six repeats or more cover over half of the text. Good pages: over 93 % are distinct, but
for forms, tables and filler text, where a real page goes down to 28 %. So few distinct windows
alone prove nothing unless the text also ends in repeats, as a loop does, or nearly none is new.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from shared.blocks import Block, BlockType, PageOutput
from shared.settings import Settings
from stages.gate.loops import distinct_share, periodic_share, squeeze, tail_repeat

TEXT_LAYER, MODEL = "text_layer", "model"  # of PageOutput.source
_NOTHING_NEW = 0.1  # each window ten times over: no page of a document says so little
_TAIL_REPEATS = 3  # at the end of a text that has few distinct windows
_TAG = re.compile(r"<[^<>]*>")
_PICTURES = frozenset({BlockType.FIGURE, BlockType.EQUATION, BlockType.TABLE})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When an answer is refused. The settings `gate_*` have the same names."""

    characters: int = 200
    distinct_share: float = 0.35
    periodic_share: float = 0.5
    repeats: int = 6
    tail_characters: int = 300
    blank_ink: float = 1e-6
    page_ink: float = 3e-4

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those that the settings name."""
        return cls(
            characters=settings.gate_characters,
            distinct_share=settings.gate_distinct_share,
            periodic_share=settings.gate_periodic_share,
            repeats=settings.gate_repeats,
            tail_characters=settings.gate_tail_characters,
            blank_ink=settings.gate_blank_ink,
            page_ink=settings.gate_page_ink,
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """Why an answer is refused: one of `shared.routing.FINDINGS`, and a sentence for people."""

    kind: str
    sentence: str


def judge(output: PageOutput, ink: float, limits: Thresholds) -> Finding | None:
    """What is wrong with the answer; None when it may stand.

    `ink` is how much is on the page, negative where nobody looked. A text layer was written by
    whoever made the document: it may repeat itself, and be invisible, as it likes.
    """
    if output.source == TEXT_LAYER:
        return None
    text = text_of(output.blocks)
    if any(c.isalnum() for c in text):
        if 0 <= ink < limits.blank_ink:
            return Finding("blank", "The page is blank, yet the answer has text.")
        return _loop(output, text, limits) or _cut(output)
    if output.finish_reason == "loop":
        return _stopped()
    if ink >= limits.page_ink and not _is_picture(output):
        return Finding("empty", "The page is not blank, yet no text was found on it.")
    return _cut(output)


def text_of(blocks: Iterable[Block]) -> str:
    """What the blocks say, without tags."""
    return "\n".join(_TAG.sub(" ", block.content) for block in blocks)


def _is_picture(output: PageOutput) -> bool:
    """Whether pictures explain the ink. Not for a model, which may call a whole page a picture."""
    return output.source != MODEL and any(block.type in _PICTURES for block in output.blocks)


def _loop(output: PageOutput, text: str, limits: Thresholds) -> Finding | None:
    if output.finish_reason == "loop":
        return _stopped()
    text = squeeze(text)
    length, times = tail_repeat(text)
    long_tail = length >= limits.tail_characters
    if long_tail and times >= limits.repeats:
        return _repeats(f"it ends with one piece {times:.0f} times over ({length} characters)")
    if len(text) < limits.characters:
        return None
    distinct = distinct_share(text)
    ends_so = long_tail and times >= _TAIL_REPEATS
    if distinct < (limits.distinct_share if ends_so else _NOTHING_NEW):
        return _repeats(f"only {distinct:.0%} of it is new")
    # Where half of a text is periodic, at most six tenths of its windows are distinct: the slower
    # test is needed for few pages only.
    if distinct < 1.1 - limits.periodic_share * (1 - 1 / limits.repeats):
        share = periodic_share(text, limits.repeats)
        if share > limits.periodic_share:
            return _repeats(f"{share:.0%} of it is periodic")
    return None


def _repeats(how: str) -> Finding:
    return Finding("loop", f"The answer repeats itself: {how}.")


def _stopped() -> Finding:
    return Finding("loop", "The engine stopped because it repeated itself.")


def _cut(output: PageOutput) -> Finding | None:
    if output.finish_reason == "length":
        return Finding("cut", "The answer was cut at the engine's limit before its end.")
    if output.finish_reason == "broken":
        return Finding("cut", "The server broke the answer off before its end.")
    return None
