"""Entries of a bibliography, below the heading that announces them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.blocks import Block, BlockType

_HEADINGS = frozenset({BlockType.TITLE, BlockType.HEADING})
_ANNOUNCES = re.compile(
    r"[*_]*(?:\d{1,2}\.?\s+)?(?:references(?: cited)?|bibliography|works cited|literature cited"
    r"|literatur(?:verzeichnis)?|références|bibliographie|referencias|bibliografía|参考文献|參考文獻)"
    r"[*_:：.]*",
    re.IGNORECASE,
)
# "[12]", "12." and "(12)" begin an entry; so does "Smith, J." together with a year further on.
_NUMBERED = re.compile(r"\\?\[\w{1,12}\\?\]|[(（]?\d{1,3}[.)）]\s")
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d[a-z]?(?!\d)")
_NAME = re.compile(r"[^\W\d_]{2,}")


@dataclass(slots=True)
class References:
    """Goes through the pages in order: a bibliography goes on until the next heading."""

    inside: bool = False

    def apply(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """The blocks, entries as references. None is dropped."""
        done: dict[int, Block] = {}
        for block in sorted(blocks, key=lambda block: block.order):
            if block.type in _HEADINGS:
                self.inside = _ANNOUNCES.fullmatch(" ".join(block.content.split())) is not None
            elif self.inside and block.type is BlockType.TEXT and _is_entry(block):
                done[id(block)] = replace(block, type=BlockType.REFERENCE)
        return tuple(done.get(id(block), block) for block in blocks)


def _is_entry(block: Block) -> bool:
    text = block.content.strip()
    if block.continues_prev:
        return True
    return bool(_NUMBERED.match(text) or (_NAME.match(text) and _YEAR.search(text)))
