"""Blocks as Markdown (CommonMark with GFM tables and dollar formulas)."""

import re
from collections.abc import Callable, Iterator

from shared.blocks import Block, BlockType
from shared.render.escape import joined_paragraph, one_line, paragraph, safe_inline, safe_latex
from shared.render.flow import Flow, Unit
from shared.render.inline import cut
from shared.render.lists import list_markdown
from shared.render.pipe_tables import fits_pipes, html_rows, pipe_row, pipe_table, whole_table
from shared.render.tables import Table, cut_note

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FENCED = re.compile(
    r"\s*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]{0,30})[ \t]*\n"
    r"(?P<code>.*?)\n?(?P=fence)\s*",
    re.DOTALL,
)
_DELIMITERS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"))
ImageUrl = Callable[[str], str]


def default_image_url(sha256: str) -> str:
    """`images/<sha256>`, where nobody knows the file's extension."""
    return f"images/{sha256}"


def is_image(name: str | None) -> bool:
    """Whether it names a blob; anything else is never made part of an address."""
    return name is not None and _SHA256.fullmatch(name) is not None


def bare_latex(content: str) -> str:
    """A formula without the delimiters that some models leave around it, and no blank lines."""
    text = content.strip()
    for opening, closing in _DELIMITERS:
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and inner.strip():
            text = inner.strip()
            break
    return "\n".join(line for line in cut(text).split("\n") if line.strip())


def bare_code(content: str) -> tuple[str, str]:
    """(language, code) without a fence around it."""
    match = _FENCED.fullmatch(content)
    if match is None:
        return "", cut(content.strip("\n"))
    return match["language"], cut(match["code"])


def heading_level(block: Block) -> int:
    """1..6; 1 for a title and 2 for a heading of unknown level."""
    default = 1 if block.type is BlockType.TITLE else 2
    return min(max(block.level or default, 1), 6)


def page_anchor(page: int) -> str:
    """Where a page begins: unseen, and `#page-3` leads there wherever the Markdown is rendered."""
    return f'<a id="page-{page}"></a>'


class MarkdownFlow(Flow):
    """Writes Markdown, blocks parted by a blank line."""

    def __init__(
        self,
        *,
        image_url: ImageUrl = default_image_url,
        marks: bool = False,
        furniture: bool = False,
    ) -> None:
        super().__init__(marks=marks, furniture=furniture)
        self._image_url = image_url

    def accepts(self, _open: Unit, _following: Unit) -> bool:
        """A table begun in pipes is not continued with cells that span."""
        if _open.table is None or _following.table is None or not _open.resumed:
            return True
        return fits_pipes(_following.table) or not fits_pipes(_open.table)

    def write(self, unit: Unit) -> str:
        """The unit and the blank line behind it, or nothing when it is empty."""
        if unit.is_mark:
            return f"{page_anchor(unit.page)}\n\n"
        if unit.block is None:
            return f"{paragraph(unit.note)}\n\n"
        if unit.table is not None:
            return self._table(unit, unit.table)
        mark = page_anchor(unit.mark) if unit.mark is not None else ""
        if unit.resumed or unit.stays_open:
            body = joined_paragraph(unit.block.content, is_first=not unit.resumed)
            body = f"{mark} {body}" if mark and body else mark or body
        else:
            body = block_markdown(unit.block, self._image_url)
        if unit.stays_open:
            return body + unit.glue
        parts = [paragraph(caption.content) for caption in unit.above]
        parts += [body, *(paragraph(caption.content) for caption in unit.below)]
        shown = [part for part in parts if part.strip()]
        if not shown:
            return "\n\n" if unit.resumed else ""
        return "\n\n".join(shown) + "\n\n"

    def _table(self, unit: Unit, table: Table) -> str:
        above = "".join(f"{paragraph(caption.content)}\n\n" for caption in unit.above)
        below = "".join(f"{paragraph(caption.content)}\n\n" for caption in unit.below)
        if not unit.resumed and not unit.stays_open:
            body = whole_table(table)
            return f"{above}{body}\n\n{below}" if body else above + below
        mark = page_anchor(unit.mark) if unit.mark is not None else ""
        if self._in_pipes:
            rows = self._pipe_rows(unit, table, mark)
        else:
            rows = html_rows(table, mark)
            rows = rows if unit.resumed else f"<table>\n{rows}"
            rows = f"{rows}\n" if unit.stays_open else f"{rows}\n</table>\n"
        tail = " ".join(part for part in (table.stray, cut_note(table)) if part)
        end = "" if unit.stays_open else "\n"
        return above + rows + end + (f"{paragraph(tail)}\n\n" if tail else "") + below

    _in_pipes = True

    def _join(self, index: int, unit: Unit) -> Iterator[str]:
        held = self._pending[index]
        if held.table is not None and unit.table is not None and not held.resumed:
            self._in_pipes = fits_pipes(held.table) and fits_pipes(unit.table)
        return super()._join(index, unit)

    def _pipe_rows(self, unit: Unit, table: Table, mark: str) -> str:
        if not unit.resumed:
            return f"{pipe_table(table)}\n"
        lines = [
            pipe_row(row, unit.width, mark if number == 0 else "")
            for number, row in enumerate(table.rows)
        ]
        return "".join(f"{line}\n" for line in lines)


def block_markdown(block: Block, image_url: ImageUrl) -> str:
    """One block that is not a table, without its captions."""
    content = block.content
    if block.type in {BlockType.TITLE, BlockType.HEADING}:
        text = re.sub(r"(?<=\s)(#+)$", r"\\\1", one_line(safe_inline(content)))
        return f"{'#' * heading_level(block)} {text}" if text else ""
    if block.type is BlockType.LIST:
        return list_markdown(content)
    if block.type is BlockType.EQUATION:
        latex = safe_latex(bare_latex(content)).replace("$$", "$ $")
        return f"$$\n{latex}\n$$" if latex else ""
    if block.type is BlockType.CODE:
        language, code = bare_code(content)
        ticks = max((len(run) for run in re.findall(r"`+", code)), default=0)
        fence = "`" * max(3, ticks + 1)
        return f"{fence}{language}\n{code}\n{fence}" if code.strip() else ""
    if block.type is BlockType.FIGURE and is_image(block.image):
        alternative = re.sub(r"[\[\]\\]", r"\\\g<0>", one_line(content))
        alternative = re.sub(r"<(?=[A-Za-z/!?])", r"\\<", cut(alternative))
        return f"![{alternative}]({image_url(block.image or '')})"
    return paragraph(cut(content))
