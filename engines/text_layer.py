"""Whether the text inside a PDF page can be trusted, or the page must be read from its pixels."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"[^\W\d_]{2,}")
_VOWELS = frozenset("aeiouyàâäéèêëïîôöùûüáíóúåæøœ")
_ENOUGH = 20  # letters below which a layer cannot be judged by its words
_FEW_SIGNS = 4  # a rule or a bullet may be all that a page says
_SCAN_SHARE = 0.85  # a picture over nearly the whole page is a scan, whatever text goes with it


@dataclass(frozen=True, slots=True)
class TextLayer:
    """What a page's text layer holds.

    `visible` and `invisible` are its characters by how they are painted, `broken` those without a
    Unicode meaning (U+FFFD, private use, control). `image_share` is the part of the page, 0..1,
    under the largest image; `has_ink` whether anything is painted beside text.
    """

    text: str
    visible: int
    invisible: int
    broken: int
    image_share: float
    has_ink: bool


def describe(blocks: Iterable[Mapping[str, Any]], page_area: float, *, has_ink: bool) -> TextLayer:
    """Describe the blocks of PyMuPDF's `extractDICT()` on a page of `page_area` square points."""
    visible = invisible = broken = 0
    words: list[str] = []
    largest = 0.0
    for block in blocks:
        if block["type"] == 1:
            x0, y0, x1, y1 = block["bbox"]
            largest = max(largest, (x1 - x0) * (y1 - y0))
        if block["type"] != 0:  # 1 is a picture, others are vectors
            continue
        for line in block["lines"]:
            for span in line["spans"]:
                characters = [c for c in span["text"] if not c.isspace()]
                broken += sum(map(is_broken, characters))
                if is_invisible(span):
                    invisible += len(characters)
                else:
                    visible += len(characters)
                words.append(span["text"])
            words.append("\n")
    share = min(1.0, largest / page_area) if page_area > 0 else 0.0
    return TextLayer("".join(words), visible, invisible, broken, share, has_ink or share > 0)


def why_unsound(layer: TextLayer) -> str | None:
    """A few words on why the layer cannot be used; None when it is sound."""
    total = layer.visible + layer.invisible
    if total == 0:
        return "no text layer" if layer.has_ink else None
    if layer.broken > 0.1 * total:
        return "the text layer has no Unicode map"
    if layer.invisible > layer.visible:
        return "the text layer is another program's hidden OCR"
    if layer.image_share > _SCAN_SHARE:
        return "the page is a scan; its text layer is another program's OCR"
    if not reads_like_words(layer.text):
        return "the text layer is garbage"
    return None


def is_invisible(span: Mapping[str, Any]) -> bool:
    """Whether a span of `extractDICT` is painted neither filled nor stroked."""
    flags = int(span.get("char_flags", 16))
    return not flags & (16 | 32) or span.get("alpha", 255) == 0  # FILLED, STROKED


def is_broken(character: str) -> bool:
    """Whether a character has no meaning of its own."""
    code = ord(character)
    return character == "\ufffd" or 0xE000 <= code <= 0xF8FF or code < 32 or code >= 0xF0000


def reads_like_words(text: str) -> bool:
    """Whether Latin text has the vowels and word lengths of a language; others pass."""
    latin = [w for w in _WORD.findall(text) if w.isascii()]
    letters = sum(map(len, latin))
    if letters < _ENOUGH:
        # A layer of signs only, on a page long enough to be a text, is a font without a map.
        signs = sum(not c.isspace() for c in text)
        meaningful = sum(c.isalnum() for c in text)
        return signs < _FEW_SIGNS or meaningful >= 0.4 * signs
    with_vowel = sum(len(w) for w in latin if _VOWELS & set(w.lower()))
    mixed = sum(len(w) for w in latin if re.search(r"[a-z][A-Z]", w))
    return with_vowel > 0.65 * letters and mixed < 0.3 * letters
