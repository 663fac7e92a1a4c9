"""Whether the text layer of a page is worth reading: a cheap guess, the engine looks closer."""

import unicodedata
from collections import Counter
from typing import Any

import pymupdf

MIN_CHARACTERS = 10  # fewer are a stamp or a page number on a scan
MAX_BAD_SHARE = 0.05  # of characters without a meaning: a font without a Unicode map
MIN_LETTER_SHARE = 0.4  # tables of figures and formulas stay above it, garbage from fonts does not
MAX_HIDDEN_SHARE = 0.2  # of text operations: invisible (under a scan), or painted over
COVER_SHARE = 0.8  # of the page under one image


def text_kind(page: Any) -> str:
    """`sound`: enough visible characters, most of which mean something. `hidden`: enough, too, but
    invisible or under a scan, where another program's OCR puts them. Otherwise "".
    """
    text = page.get_text("text", flags=pymupdf.TEXT_PRESERVE_LIGATURES)
    counts = Counter("".join(text.split()))
    total = counts.total()
    if total < MIN_CHARACTERS:
        return ""
    # Co: private use, Cn: unassigned, Cc: control, Cs: surrogate; U+FFFD: not mapped.
    bad, letters = counts["\ufffd"], 0
    for character, count in counts.items():
        kind = unicodedata.category(character)
        bad += count if kind in {"Co", "Cn", "Cc", "Cs"} else 0
        letters += count if kind[0] in "LN" else 0
    if bad > MAX_BAD_SHARE * total or letters < MIN_LETTER_SHARE * total:
        return ""
    return "sound" if hidden_share(page) <= MAX_HIDDEN_SHARE else "hidden"


def hidden_share(page: Any) -> float:
    """Share of text operations that are invisible or lie under a picture of the whole page."""
    area = abs(page.rect.width * page.rect.height)
    seen = hidden = 0
    for kind, (x0, y0, x1, y1), *_ in page.get_bboxlog():
        if kind == "ignore-text":
            hidden += 1
        elif kind in {"fill-text", "stroke-text"}:
            seen += 1
        elif kind == "fill-image" and (x1 - x0) * (y1 - y0) >= COVER_SHARE * area:
            hidden, seen = hidden + seen, 0
    return hidden / (seen + hidden) if seen + hidden else 1.0
