"""Captions find their figure or table by place and by their first word."""

import re
from collections.abc import Sequence
from dataclasses import replace

from shared.blocks import Block, BlockType

_OWNERS = frozenset({BlockType.FIGURE, BlockType.TABLE})
_TABLE_WORD = re.compile(r"[*_]*(?:table|tab\.|tabelle|tableau|tabla|表)\s*\w{0,6}", re.IGNORECASE)
_FIGURE_WORD = re.compile(r"[*_]*(?:fig|abb|图|圖|図)", re.IGNORECASE)
_LABEL = re.compile(
    r"[*_]*(?:fig(?:ure)?\.?|table|tab\.|abb(?:ildung|\.)|tabelle|图|圖|図|表)\s*\d{1,3}[*_]*\s*[.:：|]",
    re.IGNORECASE,
)
_MAX_GAP = 0.15  # of the page's height, between a caption and what it names
_TEXT_GAP = 0.04  # closer, for a text that only looks like a caption
_MAX_TEXT_CHARS = 500
_WRONG_KIND = 0.1  # added to the gap when "Table 3" would name a figure


def attach_captions(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks, captions with `caption_of`; the engine's own word stays.

    A text beginning "Figure 3:" right beside a figure or table becomes its caption.
    """
    owners = [block for block in blocks if block.type in _OWNERS]
    if not owners:
        return tuple(blocks)
    orders = {block.order for block in owners}
    done = []
    for block in blocks:
        is_label = block.type is BlockType.TEXT and (
            len(block.content) <= _MAX_TEXT_CHARS and _LABEL.match(block.content) is not None
        )
        if block.type is not BlockType.CAPTION and not is_label:
            done.append(block)
            continue
        if block.type is BlockType.CAPTION and block.caption_of in orders:
            done.append(block)
            continue
        owner = _nearest(block, owners, _TEXT_GAP if is_label else _MAX_GAP)
        done.append(
            replace(block, type=BlockType.CAPTION, caption_of=owner, continues_prev=False)
            if owner is not None
            else block
        )
    return tuple(done)


def _nearest(caption: Block, owners: Sequence[Block], limit: float) -> int | None:
    best, best_gap = None, limit
    for owner in owners:
        gap = _gap(caption, owner)
        if gap is None or gap > limit:
            continue
        if _is_wrong_kind(caption.content, owner.type):
            gap += _WRONG_KIND
        if gap <= best_gap:
            best, best_gap = owner.order, gap
    return best


def _gap(caption: Block, owner: Block) -> float | None:
    """Vertical distance in page heights; None when they are not above one another."""
    overlap = min(caption.bbox[2], owner.bbox[2]) - max(caption.bbox[0], owner.bbox[0])
    if overlap <= 0:
        return None
    return max(0.0, owner.bbox[1] - caption.bbox[3], caption.bbox[1] - owner.bbox[3])


def _is_wrong_kind(content: str, owner: BlockType) -> bool:
    if owner is BlockType.TABLE:
        return _FIGURE_WORD.match(content) is not None
    return _TABLE_WORD.match(content) is not None
