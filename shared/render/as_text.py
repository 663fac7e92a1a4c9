"""Blocks as plain text: no marks, tables as tab-separated rows, a form feed before each page."""

from shared.blocks import BlockType
from shared.render.as_markdown import bare_code, bare_latex
from shared.render.flow import Flow, Unit
from shared.render.inline import inline_text
from shared.render.lists import list_text
from shared.render.tables import Table, cut_note


class TextFlow(Flow):
    """Writes text, blocks parted by a blank line."""

    _began = False
    _waiting_feed = False

    def write(self, unit: Unit) -> str:
        """The unit and the blank line behind it, or nothing when it is empty."""
        if unit.is_mark:
            feed, self._began = ("\f" if self._began else ""), True
            return feed
        feed, self._waiting_feed = ("\f" if self._waiting_feed and not unit.resumed else ""), False
        if unit.block is None:
            return f"{feed}{unit.note}\n\n"
        # A joined paragraph is not cut by a form feed: the page's own comes behind it.
        self._waiting_feed = unit.mark is not None
        captions = [[inline_text(c.content) for c in side] for side in (unit.above, unit.below)]
        body = _table_text(unit.table) if unit.table is not None else _body(unit)
        if unit.stays_open:
            above = "".join(f"{caption}\n\n" for caption in captions[0])
            glue = "\n" if unit.table is not None and body else unit.glue
            return f"{feed}{above}{body}{glue}"
        shown = [part for part in (*captions[0], body, *captions[1]) if part.strip()]
        ending = "\n\n" if shown or unit.resumed else ""
        return feed + "\n\n".join(shown) + ending


def _body(unit: Unit) -> str:
    block = unit.block
    if block is None:
        return ""
    if block.type is BlockType.CODE:
        return bare_code(block.content)[1]
    if block.type is BlockType.EQUATION:
        return bare_latex(block.content)
    if block.type is BlockType.LIST:
        return list_text(block.content)
    return inline_text(block.content)


def _table_text(table: Table) -> str:
    lines = ["\t".join(cell.text for cell in row) for row in table.rows]
    return "\n".join(part for part in (*lines, table.stray, cut_note(table)) if part)
