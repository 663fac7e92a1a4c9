"""Pages as commands for the process that writes Word documents, one JSON object to a line."""

import html
import json
import re
from collections.abc import Iterable
from typing import Any

from shared.blocks import Block, BlockType
from shared.render import Flow
from shared.render.as_markdown import bare_code, bare_latex, heading_level, is_image
from shared.render.cells import split_formulas
from shared.render.flow import Unit
from shared.render.lists import items_of
from shared.render.mathml import latex_to_mathml
from shared.render.runs import Run, inline_runs
from shared.render.tables import Cell, Table, cut_note

Runs = list[list[Any]]  # [text, [looks]], of a formula [latex, [looks], mathml, display]
_STYLES = {
    BlockType.CAPTION: "Caption",
    BlockType.FOOTNOTE: "Footnote",
    BlockType.REFERENCE: "Reference",
    BlockType.HEADER: "Furniture",
    BlockType.FOOTER: "Furniture",
    BlockType.PAGE_NUMBER: "Furniture",
}
_CELL_TAG = re.compile(r"<(/?)(sup|sub|b|strong|i|em|code|br)>")
_LOOKS = {"sup": "superscript", "sub": "subscript", "b": "bold", "strong": "bold"}
_LOOKS |= {"i": "italic", "em": "italic", "code": "code"}


class WordFlow(Flow):
    """Writes commands: mark, heading, text, more, item, table, rows, image."""

    def write(self, unit: Unit) -> str:
        """The commands for a unit, each on a line."""
        return "".join(f"{json.dumps(each, ensure_ascii=True)}\n" for each in self._commands(unit))

    def accepts(self, _open: Unit, _following: Unit) -> bool:
        """Tables go on as rows, paragraphs as runs: all can be joined."""
        return True

    def _commands(self, unit: Unit) -> Iterable[dict[str, Any]]:
        if unit.is_mark:
            yield {"do": "mark", "page": unit.page}
            return
        if unit.block is None:
            yield {"do": "text", "style": "Note", "runs": [[unit.note, []]]}
            return
        for caption in unit.above:
            yield _text("Caption", caption.content)
        yield from self._body(unit, unit.block)
        if not unit.stays_open:
            for caption in unit.below:
                yield _text("Caption", caption.content)

    def _body(self, unit: Unit, block: Block) -> Iterable[dict[str, Any]]:
        mark = {"mark": unit.mark} if unit.mark is not None else {}
        if unit.table is not None:
            yield from _table(unit.table, mark, resumed=unit.resumed)
        elif unit.resumed or unit.stays_open:
            runs = _runs(inline_runs(block.content))
            if unit.glue:
                runs.append([unit.glue, []])
            style = _STYLES.get(block.type, "Normal")
            yield {"do": "more" if unit.resumed else "text", "style": style, "runs": runs, **mark}
        else:
            yield from _block(block)


def _block(block: Block) -> Iterable[dict[str, Any]]:
    content = block.content
    if block.type in {BlockType.TITLE, BlockType.HEADING}:
        if content.strip():
            runs = _runs(inline_runs(" ".join(content.split())))
            is_title = block.type is BlockType.TITLE
            yield {"do": "heading", "level": 0 if is_title else heading_level(block), "runs": runs}
    elif block.type is BlockType.LIST:
        for item in items_of(content):
            kind = "" if not item.mark else "bullet" if item.mark == "-" else item.mark
            runs = _runs(inline_runs(item.text))
            yield {"do": "item", "depth": item.depth, "mark": kind, "runs": runs}
    elif block.type is BlockType.EQUATION:
        yield {
            "do": "text",
            "style": "Formula",
            "runs": [_math(bare_latex(content), ["math"], display=True)],
        }
    elif block.type is BlockType.CODE:
        yield {"do": "text", "style": "Code", "runs": [[bare_code(content)[1], ["code"]]]}
    elif block.type is BlockType.FIGURE and is_image(block.image):
        text = " ".join(content.split())[:2000]
        wide = max(0.0, min(1.0, block.bbox[2] - block.bbox[0]))
        yield {"do": "image", "sha256": block.image, "text": text, "width": round(wide, 4)}
    else:
        for part in content.split("\n\n"):
            if part.strip():
                yield _text(_STYLES.get(block.type, "Normal"), part)


def _text(style: str, content: str) -> dict[str, Any]:
    return {"do": "text", "style": style, "runs": _runs(inline_runs(content))}


def _runs(runs: Iterable[Run]) -> Runs:
    return [
        _math(run.text, sorted(run.looks), display=False)
        if "math" in run.looks
        else [run.text, sorted(run.looks)]
        for run in runs
    ]


def _math(latex: str, looks: list[str], *, display: bool) -> list[Any]:
    """A formula with its MathML, where it can be read."""
    mathml = latex_to_mathml(latex, display=display)
    return [latex, looks, mathml, display] if mathml else [latex, looks]


def _table(table: Table, mark: dict[str, int], *, resumed: bool) -> Iterable[dict[str, Any]]:
    if table.rows:
        rows = [[_cell(cell) for cell in row] for row in table.rows]
        yield {"do": "rows" if resumed else "table", "rows": rows, **mark}
    tail = " ".join(part for part in (table.stray, cut_note(table)) if part)
    if tail:
        yield {"do": "text", "style": "Normal", "runs": [[tail, []]]}


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "columns": cell.columns,
        "rows": cell.rows,
        "header": cell.is_header,
        "runs": _cell_runs(cell.html, ["bold"] if cell.is_header else []),
    }


def _cell_runs(source: str, looks: list[str]) -> Runs:
    """A cell's safe HTML as runs, with these looks at its start; tables inside it become text."""
    runs: Runs = []
    at = 0
    for tag in _CELL_TAG.finditer(source):
        _add(runs, source[at : tag.start()], looks)
        at = tag.end()
        if tag[2] == "br":
            runs.append(["\n", []])
        elif tag[1] and _LOOKS[tag[2]] in looks:
            looks.remove(_LOOKS[tag[2]])
        elif not tag[1]:
            looks.append(_LOOKS[tag[2]])
    _add(runs, source[at:], looks)
    return runs


def _add(runs: Runs, source: str, looks: list[str]) -> None:
    text = html.unescape(re.sub(r"<[^>]*>", " ", source))
    own = sorted(set(looks))
    if "code" in looks:
        runs.append([text, own])
        return
    for kind, part in split_formulas(text):
        runs.append(_math(part, [*own, "math"], display=False) if kind else [part, own])


def images_of(commands: str) -> list[str]:
    """The pictures that commands name."""
    return [
        command["sha256"]
        for command in map(json.loads, commands.splitlines())
        if command["do"] == "image"
    ]
