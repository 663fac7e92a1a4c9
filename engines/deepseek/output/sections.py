"""The model's text cut at its grounding tags, in all three spellings, in linear time.

DeepSeek-OCR:    <|ref|>title<|/ref|><|det|>[[x0, y0, x1, y1], ...]<|/det|> and then the text
servers that drop special tokens:  title[[x0, y0, x1, y1]] at the beginning of a line
Unlimited-OCR:   <|det|>title [x0, y0, x1, y1]<|/det|> and then the text
"""

import re
from dataclasses import dataclass

SCALE = 999  # coordinates are 0..999 of the page's width and height, whatever square it was put in
MOST_SECTIONS = 2_000  # of one page; what comes after is left out
MOST_BOXES = 200  # of one tag

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in 0..1

LABELS = (
    "abstract|aside_text|chart|code|code_caption|doc_title|equation|equation_block|figure|"
    "figure_caption|footer|footnote|formula|header|image|image_caption|image_footnote|list|number|"
    "page_number|paragraph_title|ref_text|reference|references|seal|sub_title|table|table_caption|"
    "table_footnote|text|title"
)
# No part of it can match what another part of it begins with, and each is bounded or ends at the
# next bracket: the time grows with the text and not faster.
_TAG = re.compile(
    r"<\|ref\|>(?P<label>[^<]{0,4000})<\|/ref\|>\s{0,4}<\|det\|>(?P<boxes>[^<]{0,8000})<\|/det\|>"
    r"|<\|det\|>(?P<both>[^<]{0,8000})<\|/det\|>"
    rf"|^(?P<bare>{LABELS})[ ]?(?P<bare_boxes>\[\[?[-\d., \[\]]{{7,8000}}\])",
    re.MULTILINE,
)
_GROUP = re.compile(r"\[([^\[\]]*)\]")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SPECIAL = re.compile(r"<\|/?[a-z_]{1,20}\|>|<[｜|][^<>｜|]{1,40}[｜|]>")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: the model's label, its boxes (none before the first tag), its text."""

    label: str
    boxes: tuple[Box, ...]
    text: str


def cut(text: str) -> list[Section]:
    """The sections in the model's order; text before the first tag has the label ""."""
    sections: list[Section] = []
    label, boxes, start = "", (), 0  # type: str, tuple[Box, ...], int
    for tag in _TAG.finditer(text):
        _add(sections, label, boxes, text[start : tag.start()])
        if len(sections) >= MOST_SECTIONS:
            return sections
        label, boxes = _read(tag)
        start = tag.end()
    _add(sections, label, boxes, text[start:])
    return sections


def without_tags(text: str) -> str:
    """The text less what is left of tags and other special tokens."""
    return _SPECIAL.sub("", text)


def boxes_in(text: str) -> tuple[Box, ...]:
    """The boxes written as [x0, y0, x1, y1], one after the other or in a list."""
    boxes: list[Box] = []
    for group in _GROUP.finditer(text):
        numbers = _NUMBER.findall(group[1], 0, 400)
        if len(numbers) == 4 and len(boxes) < MOST_BOXES:
            x0, y0, x1, y1 = (_coordinate(number) for number in numbers)
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            if box[0] < box[2] and box[1] < box[3]:
                boxes.append(box)
    return tuple(boxes)


def _read(tag: re.Match[str]) -> tuple[str, tuple[Box, ...]]:
    if tag["label"] is not None:
        return tag["label"].strip(), boxes_in(tag["boxes"])
    if tag["both"] is not None:
        return tag["both"].partition("[")[0].strip(), boxes_in(tag["both"])
    return tag["bare"], boxes_in(tag["bare_boxes"])


def _add(sections: list[Section], label: str, boxes: tuple[Box, ...], text: str) -> None:
    text = without_tags(text).strip()
    if text or boxes or label:
        sections.append(Section(label, boxes, text))


def _coordinate(number: str) -> float:
    whole = number.partition(".")[0]
    if whole.startswith("-"):
        return 0.0
    # a number of many digits is beyond the page, and no matter how far
    return 1.0 if len(whole) > 6 else min(1.0, float(number[:20]) / SCALE)
