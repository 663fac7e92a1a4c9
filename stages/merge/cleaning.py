"""First steps, block by block: characters, fences, formulas, and what kind of block a text is."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import pairwise

from shared.blocks import Block, BlockType
from shared.render import sanitize_html
from shared.render.latex import balanced
from shared.render.lines import clean_text, join_lines

LINED = frozenset(
    {BlockType.TEXT, BlockType.REFERENCE, BlockType.FOOTNOTE, BlockType.CAPTION}
    | {BlockType.TITLE, BlockType.HEADING}
)
# Models wrap a whole page or block so, as they do in chats.
_PROSE_FENCE = re.compile(r"\s*(`{3,}|~{3,})[ \t]*(?:markdown|md|text|html|latex|tex)?[ \t]*\n")
_CODE_FENCE = re.compile(r"\s*(`{3,}|~{3,})[ \t]*[\w+#.-]{0,30}[ \t]*\n.*\n\s*\1\s*", re.DOTALL)
_INLINE_FORMULA = re.compile(r"\$(?![\s$])(?:[^$\\`\n]|\\[^`\n]){1,500}?(?<!\s)\$(?!\d)")
_LIST_LINE = re.compile(r"\s*(?:[-*+•◦▪●○■□‣⁃∙]\s+\S|(?P<number>\d{1,3})(?P<stop>[.)])\s+\S)")
_FENCED_PROSE = LINED | {BlockType.LIST, BlockType.TABLE, BlockType.EQUATION}


def clean(block: Block) -> Block:
    """NFC and without control characters; no fence round what is no code; formulas balanced."""
    content = clean_text(block.content)
    if block.type in _FENCED_PROSE and content.lstrip()[:1] in {"`", "~"}:
        content = _without_fence(content)
    if block.type is BlockType.EQUATION:
        content = balanced(content)
    elif "$" in content and block.type is not BlockType.CODE:
        content = _INLINE_FORMULA.sub(lambda match: f"${balanced(match[0][1:-1])}$", content)
    return replace(block, content=content) if content != block.content else block


def _safe_table(block: Block) -> Block:
    """No step that can be left out: the table's HTML stands in JSON as it is."""
    if block.type is not BlockType.TABLE or "<" not in block.content:
        return block
    content = sanitize_html(clean_text(block.content))
    return replace(block, content=content) if content != block.content else block


def find_code(block: Block) -> Block:
    """A text that is one fenced block is code."""
    if block.type is BlockType.TEXT and _CODE_FENCE.fullmatch(block.content):
        return replace(block, type=BlockType.CODE, continues_prev=False)
    return block


def find_lists(block: Block) -> Block:
    """A text of two lines or more that all begin with marks of one kind is a list.

    Numbers must count: two lines that begin with years are no list.
    """
    if block.type is not BlockType.TEXT or "\n" not in block.content:
        return block
    lines = [line for line in block.content.split("\n") if line.strip()]
    marks = [_LIST_LINE.match(line) for line in lines]
    found = [mark for mark in marks if mark is not None]
    if len(lines) < 2 or len(found) < len(lines):
        return block
    numbers = [int(mark["number"]) for mark in found if mark["number"]]
    counts = all(b == a + 1 for a, b in pairwise(numbers))
    if numbers and (len(numbers) < len(found) or not counts):
        return block
    return replace(block, type=BlockType.LIST, continues_prev=False)


def join_block(block: Block, compounds: AbstractSet[str]) -> Block:
    """The block without the line breaks that the page's width made."""
    if block.type not in LINED:
        return block
    content = join_lines(block.content, compounds)
    return replace(block, content=content) if content != block.content else block


def cleaned(blocks: Sequence[Block], skip: AbstractSet[str]) -> tuple[Block, ...]:
    """The blocks after the steps that need no other block and no other page."""
    if "clean" not in skip:
        blocks = [clean(block) for block in blocks]
    if "code" not in skip:
        blocks = [find_code(block) for block in blocks]
    if "lists" not in skip:
        blocks = [find_lists(block) for block in blocks]
    return tuple(_safe_table(block) for block in blocks)


def _without_fence(content: str) -> str:
    opening = _PROSE_FENCE.match(content)
    if opening is None:
        return content
    inner = content[opening.end() :].rstrip()
    closing = inner.rfind("\n" + opening[1])
    if closing >= 0 and not inner[closing + 1 :].strip("`~ "):
        inner = inner[:closing]
    elif inner.strip("`~ ") == "":
        inner = ""
    return inner if inner.strip() else content
