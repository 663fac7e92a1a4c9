"""Signs that a model repeats itself. Linear in the text; code points count, not words, so that
scripts without spaces are judged like others.
"""

import re

WINDOW = 24  # code points: longer than usual phrases, shorter than sentences
MOST_WINDOWS = 65_536  # of a longer text every second, third, ... window is looked at
_GRAM = 12  # code points that must agree before two places count as the same
_SPACES = re.compile(r"\s+")
_RULES = re.compile(r"(([^\w\s])\2{2})\2+|((?:([^\w\s]) ){3})(?:\4 )+|(_{3})_+")


def squeeze(text: str) -> str:
    """The text with one space between words, and rules, leaders and dashes cut to three signs.

    Forms and tables of contents are full of them, and they are no loop.
    """
    return _RULES.sub(lambda m: m[1] or m[3] or m[5], _SPACES.sub(" ", text)).strip()


def distinct_share(text: str) -> float:
    """Distinct windows of 24 code points over all of them; 1.0 where there is none."""
    count = len(text) - WINDOW + 1
    if count < 1:
        return 1.0
    step = -(-count // MOST_WINDOWS)
    places = range(0, count, step)
    return len({text[at : at + WINDOW] for at in places}) / len(places)


def periodic_share(text: str, repeats: int) -> float:
    """The part of the text, 0..1, inside runs of one unit at least so many times in a row.

    The distance to the last place with the same few code points is the run's period: one look-up
    for each code point outside runs, one comparison for each inside.
    """
    last: dict[str, int] = {}
    covered = at = 0
    while at + _GRAM <= len(text):
        gram = text[at : at + _GRAM]
        before = last.get(gram)
        last[gram] = at
        if before is None:
            at += 1
            continue
        period, end = at - before, at + _GRAM
        while end < len(text) and text[end] == text[end - period]:
            end += 1
        if end - before >= repeats * period:
            covered += end - before
            at = end
        else:
            at = end - _GRAM + 1  # nothing in between could begin a longer run of this period
    return min(1.0, covered / len(text)) if text else 0.0


def tail_repeat(text: str) -> tuple[int, float]:
    """(code points of the run with which the text ends, how often its unit is in there)."""
    end = text[-WINDOW:]
    before = text.rfind(end, 0, len(text) - 1) if len(text) > WINDOW else -1
    if before < 0:
        return 0, 0.0
    period = len(text) - WINDOW - before
    start = before
    while start > 0 and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return len(text) - start, (len(text) - start) / period
