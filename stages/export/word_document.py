"""A Word document built from commands. Runs in the child only; imports python-docx.

Paragraphs are made as XML: python-docx looks its styles up by name each time, which takes ten
times as long.
"""

import io
import re
from collections.abc import Sequence
from typing import IO, Any, cast

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.image.exceptions import UnrecognizedImageError
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.shape import CT_Inline
from docx.shared import Inches, Pt
from PIL import Image

from stages.export.word_formula import formula
from stages.export.word_table import WordTable
from stages.reader.part_sink import PartSink

Image.init()  # all codecs now: later the file system is out of reach
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # in XML 1.0
_PAGE_INCHES = 6.0  # between the margins of python-docx's template
_MAX_DEPTH = 3  # list styles that the template has
_JPEG_QUALITY = 88
_OWN_STYLES = {  # name: font (None: the text's), size in points
    "Code": ("Courier New", 9),
    "Formula": ("Cambria Math", 11),
    "Footnote": (None, 9),
    "Reference": (None, 10),
    "Furniture": (None, 8),
    "Note": (None, 10),
}
_LOOK_TAGS = {"bold": "w:b", "italic": "w:i", "strike": "w:strike"}
_LOOK_FONTS = {"code": "Courier New", "math": "Cambria Math"}
Command = dict[str, Any]
Runs = Sequence[Sequence[Any]]  # as WordFlow writes them


class WordDocument:
    """Takes commands of `WordFlow` in order."""

    def __init__(self) -> None:
        self._document = docx.Document()
        self._end = self._document.element.body.sectPr
        self._paragraph: Any = None
        self._table: WordTable | None = None
        self._images: dict[str, bytes] = {}
        self._marks = self._pictures = 0
        for name, (font, size) in _OWN_STYLES.items():
            style = self._document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
            style.base_style = self._document.styles["Normal"]
            style.font.size = Pt(size)
            if font:
                style.font.name = font
        self._style_ids = {style.name: style.style_id for style in self._document.styles}
        self._commands = {
            "mark": self._mark,
            "heading": self._heading,
            "text": self._text,
            "more": self._more,
            "item": self._item,
            "image": self._image,
            "table": self._begin_table,
            "rows": self._add_rows,
        }

    def keep_image(self, sha256: str, data: bytes) -> bool:
        """Keep a picture for the commands to come; False when it cannot be read.

        Word reads no WebP: such a picture becomes JPEG, or PNG where it has few colours.
        """
        try:
            with Image.open(io.BytesIO(data)) as image:
                if image.format not in {"PNG", "JPEG", "GIF"}:
                    data = _converted(image)
        except (OSError, ValueError, Image.DecompressionBombError):
            return False
        self._images[sha256] = data
        return True

    def forget_images(self) -> None:
        """Let go of the pictures that the last commands used."""
        self._images.clear()

    def run(self, command: Command) -> None:
        """Do one command. KeyError when it is none."""
        if command["do"] != "rows":
            self._close_table()
        self._commands[command["do"]](command)

    def save(self, sink: PartSink, title: str) -> None:
        """Write the document."""
        self._close_table()
        properties = self._document.core_properties
        properties.title = _clean(title)[:255]
        properties.author = properties.comments = ""
        self._document.save(cast("IO[bytes]", sink))  # zipfile asks for no more than it has

    def _mark(self, command: Command) -> None:
        """A bookmark where a page of the original begins; the text flows on."""
        for element in self._bookmark(command["page"]):
            self._end.addprevious(element)

    def _bookmark(self, page: int) -> tuple[Any, Any]:
        start = OxmlElement("w:bookmarkStart")
        end = OxmlElement("w:bookmarkEnd")
        for element in (start, end):
            element.set(qn("w:id"), str(self._marks))
        start.set(qn("w:name"), f"page_{page}")
        self._marks += 1
        return start, end

    def _heading(self, command: Command) -> None:
        level = int(command["level"])
        self._new_paragraph(f"Heading {level}" if level else "Title")
        _write(self._paragraph, command["runs"])

    def _text(self, command: Command) -> None:
        self._new_paragraph(command["style"])
        _write(self._paragraph, command["runs"])

    def _more(self, command: Command) -> None:
        """Runs that go on with the paragraph before."""
        if self._paragraph is None:
            self._new_paragraph(command["style"])
        if "mark" in command:
            self._paragraph.extend(self._bookmark(command["mark"]))
        _write(self._paragraph, command["runs"])

    def _item(self, command: Command) -> None:
        depth = min(int(command["depth"]), _MAX_DEPTH - 1)
        number = f" {depth + 1}" if depth else ""
        mark = command["mark"]
        if mark == "bullet":
            self._new_paragraph(f"List Bullet{number}")
        elif mark:  # as it was printed: Word would count on from the list before
            self._new_paragraph(f"List{number}")
            _write(self._paragraph, [(f"{mark}\t", ())])
        else:
            self._new_paragraph("Normal")
        _write(self._paragraph, command["runs"])

    def _image(self, command: Command) -> None:
        self._new_paragraph("Normal")
        paragraph, self._paragraph = self._paragraph, None
        data = self._images.get(command["sha256"], None)
        text = _clean(command["text"])
        if data is None or not self._picture(paragraph, data, command["width"], text):
            _write(paragraph, [(text or "[figure]", ("italic",))])

    def _picture(self, paragraph: Any, data: bytes, width: float, text: str) -> bool:
        """Add a picture; python-docx's own way looks at the whole document for a free number."""
        try:
            relation, image = self._document.part.get_or_add_image(io.BytesIO(data))
            inches = Inches(max(0.5, _PAGE_INCHES * width))
            sides = image.scaled_dimensions(width=inches)
        except (UnrecognizedImageError, ValueError, ZeroDivisionError, KeyError):
            return False
        self._pictures += 1
        name = f"image{self._pictures}"
        inline = CT_Inline.new_pic_inline(self._pictures, relation, name, *sides)
        inline.docPr.set("descr", text)
        run, drawing = OxmlElement("w:r"), OxmlElement("w:drawing")
        drawing.append(inline)
        run.append(drawing)
        paragraph.append(run)
        return True

    def _begin_table(self, command: Command) -> None:
        self._paragraph = None
        self._table = WordTable(lambda paragraph, cell: _write(paragraph, cell["runs"]))
        self._table.add(command["rows"])

    def _add_rows(self, command: Command) -> None:
        if "mark" in command:  # before the table: there is no place for it between rows
            self._mark({"page": command["mark"]})
        if self._table is None:
            self._begin_table(command)
        else:
            self._table.add(command["rows"])

    def _close_table(self) -> None:
        if self._table is not None:
            self._end.addprevious(self._table.close())
            self._end.addprevious(OxmlElement("w:p"))  # Word wants one behind each table
            self._table = None

    def _new_paragraph(self, style: str) -> None:
        self._paragraph = OxmlElement("w:p")
        if style != "Normal":
            properties = OxmlElement("w:pPr")
            named = OxmlElement("w:pStyle")
            named.set(qn("w:val"), self._style_ids[style])
            properties.append(named)
            self._paragraph.append(properties)
        self._end.addprevious(self._paragraph)


def _write(paragraph: Any, runs: Runs) -> None:
    for text, looks, *math in runs:
        drawn = formula(_clean(math[0]), display=math[1]) if math else None
        if drawn is not None:
            paragraph.append(drawn)
            continue
        run = OxmlElement("w:r")
        if looks:
            run.append(_properties(looks))
        for index, line in enumerate(_clean(text).split("\n")):
            if index:
                run.append(OxmlElement("w:br"))
            element = OxmlElement("w:t")
            element.set(qn("xml:space"), "preserve")
            element.text = line
            run.append(element)
        paragraph.append(run)


def _properties(looks: Sequence[str]) -> Any:
    """In the order that the schema asks for: fonts, bold, italic, strike, vertical place."""
    properties = OxmlElement("w:rPr")
    font = next((_LOOK_FONTS[look] for look in looks if look in _LOOK_FONTS), None)
    if font:
        fonts = OxmlElement("w:rFonts")
        for name in ("w:ascii", "w:hAnsi"):
            fonts.set(qn(name), font)
        properties.append(fonts)
    for look, tag in _LOOK_TAGS.items():
        if look in looks:
            properties.append(OxmlElement(tag))
    for look in ("superscript", "subscript"):
        if look in looks:
            place = OxmlElement("w:vertAlign")
            place.set(qn("w:val"), look)
            properties.append(place)
    return properties


def _converted(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    if image.mode in {"1", "L", "P"} or image.getcolors(256) is not None:
        image.save(buffer, "PNG")
    else:
        image.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _clean(text: str) -> str:
    return _ILLEGAL.sub("", text.replace("\r", ""))
