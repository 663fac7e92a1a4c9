"""Blocks as HTML: the only place that makes HTML from blocks. All content is hostile.

Each block's element has `id="p<page>-b<order>"`, `data-page`, `data-order` and `data-type`.
Formulas are MathML, or LaTeX that could not be read, in elements of class `math` and `inline` or
`display`.
"""

import html

from shared.blocks import Block, BlockType
from shared.render.as_markdown import (
    ImageUrl,
    bare_code,
    bare_latex,
    default_image_url,
    heading_level,
    is_image,
)
from shared.render.cells import drawn_row
from shared.render.flow import Flow, Unit
from shared.render.inline import inline_html
from shared.render.lists import list_html
from shared.render.mathml import latex_to_mathml, with_mathml
from shared.render.tables import Table, cut_note, marked_row


class HtmlFlow(Flow):
    """Writes the elements of a document's body, one to a line."""

    def __init__(
        self,
        *,
        image_url: ImageUrl = default_image_url,
        marks: bool = False,
        furniture: bool = False,
    ) -> None:
        super().__init__(marks=marks, furniture=furniture)
        self._image_url = image_url

    def write(self, unit: Unit) -> str:
        """The unit's elements; a chain of joined units shares one element."""
        if unit.is_mark:
            return f"{_page_mark(unit.page)}\n"
        if unit.block is None:
            page = f' data-page="{unit.page}"'
            return f'<p class="note"{page} role="note">{html.escape(unit.note)}</p>\n'
        if unit.table is not None:
            return self._table(unit, unit.block, unit.table)
        if unit.resumed or unit.stays_open:
            return self._span(unit, unit.block)
        body = self._block(unit.page, unit.block)
        if not (unit.above or unit.below):
            return f"{body}\n" if body else ""
        return f"{_figure(unit, unit.block, body)}\n"

    def _span(self, unit: Unit, block: Block) -> str:
        mark = _page_mark(unit.mark) + " " if unit.mark is not None else ""
        text = _inline(block.content)
        opening = "" if unit.resumed else f'<p class="{block.type.value}" dir="auto">'
        closing = unit.glue if unit.stays_open else "</p>\n"
        return f"{opening}{mark}<span{_attributes(unit.page, block)}>{text}</span>{closing}"

    def _table(self, unit: Unit, block: Block, table: Table) -> str:
        attributes = _attributes(unit.page, block)
        parts: list[str] = []
        if not unit.resumed:
            parts.append(f'<figure class="table"{attributes}>{_captions(unit.page, unit.above)}')
            parts.append('<div class="scroll"><table>')
        rows = list(table.rows)
        if unit.resumed and rows:
            mark = _page_mark(unit.mark) if unit.mark is not None else ""
            parts.append(drawn_row(marked_row(rows.pop(0), mark), attributes))
        parts += [drawn_row(row) for row in rows]
        if unit.stays_open:
            return "\n".join(parts) + "\n"
        parts.append("</table></div>")
        tail = " ".join(part for part in (table.stray, cut_note(table)) if part)
        parts.append(f"<p>{html.escape(tail)}</p>" if tail else "")
        parts.append(f"{_captions(unit.page, unit.below)}</figure>")
        return "\n".join(part for part in parts if part) + "\n"

    def _block(self, page: int, block: Block) -> str:
        attributes = _attributes(page, block)
        content = block.content
        if block.type in {BlockType.TITLE, BlockType.HEADING}:
            tag = f"h{heading_level(block)}"
            return f"<{tag}{attributes}>{_inline(content)}</{tag}>" if content.strip() else ""
        if block.type is BlockType.LIST:
            return with_mathml(list_html(content, attributes))
        if block.type is BlockType.EQUATION:
            latex = bare_latex(content)
            shown = latex_to_mathml(latex, display=True) or html.escape(latex)
            return f'<div class="math display"{attributes}>{shown}</div>'
        if block.type is BlockType.CODE:
            language, code = bare_code(content)
            name = f' class="language-{html.escape(language)}"' if language else ""
            return f"<pre{attributes}><code{name}>{html.escape(code)}</code></pre>"
        if block.type is BlockType.FIGURE:
            return f"<figure{attributes}>{self._image(block)}</figure>"
        return _prose(attributes, block)

    def _image(self, block: Block) -> str:
        alternative = html.escape(" ".join(block.content.split())[:2000])
        if not is_image(block.image):
            return f"<p>{_inline(block.content)}</p>" if block.content.strip() else ""
        source = html.escape(self._image_url(block.image or ""))
        return f'<img src="{source}" alt="{alternative}" loading="lazy">'


def _inline(text: str) -> str:
    return with_mathml(inline_html(text))


def _attributes(page: int, block: Block) -> str:
    return (
        f' id="p{page}-b{block.order}" data-page="{page}" data-order="{block.order}"'
        f' data-type="{block.type.value}" dir="auto"'
    )


def _prose(attributes: str, block: Block) -> str:
    paragraphs = [part for part in block.content.split("\n\n") if part.strip()]
    if not paragraphs:
        return ""
    name = f' class="{block.type.value}"'
    if len(paragraphs) == 1:
        return f"<p{name}{attributes}>{_inline(paragraphs[0])}</p>"
    inner = "".join(f"<p>{_inline(part)}</p>" for part in paragraphs)
    return f"<div{name}{attributes}>{inner}</div>"


def _figure(unit: Unit, block: Block, body: str) -> str:
    inner = body.removeprefix(f"<figure{_attributes(unit.page, block)}>").removesuffix("</figure>")
    captions = [_captions(unit.page, side) for side in (unit.above, unit.below)]
    return f"<figure{_attributes(unit.page, block)}>{captions[0]}{inner}{captions[1]}</figure>"


def _captions(page: int, captions: tuple[Block, ...]) -> str:
    """All captions of one side in one `<figcaption>`, each in an element of its own."""
    spans = [
        f"<div{_attributes(page, caption)}>{_inline(caption.content)}</div>" for caption in captions
    ]
    return f"<figcaption>{''.join(spans)}</figcaption>" if spans else ""


def _page_mark(page: int) -> str:
    return f'<span class="page" id="page-{page}" data-page="{page}" title="page {page}"></span>'
