"""MathML of `shared.render.mathml` as Word's own formulas (OMML, ECMA-376 part 1, chapter 22.1).

What MathML has no place for here makes the whole formula None, and it stays LaTeX: half a formula
would read as another one. Runs in the child that writes Word documents, without a file.
"""

from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from docx.oxml import OxmlElement

from stages.export.omml import fenced, letters, properties, value

_MAX_DEPTH = 60  # Word itself gives up on deeper ones
_LARGE = frozenset("∑∏∐∫∬∭∮⋃⋂⨁⨂⋁⋀")
_UNDER_AND_OVER = frozenset("∑∏∐⋃⋂⨁⨂⋁⋀")  # limits of integrals stand beside them
_ACCENTS = {"^": "\u0302", "ˆ": "\u0302", "~": "\u0303", "˜": "\u0303", "→": "\u20d7"}
_ACCENTS |= {"˙": "\u0307", "¨": "\u0308", "ˇ": "\u030c", "˘": "\u0306", "´": "\u0301"}
_BARS = frozenset("―¯‾_")
_BRACES = frozenset("⏞⏟︷︸")
_PAIRS = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "⌊": "⌋", "⌈": "⌉", "|": "|", "‖": "‖"}
_ROWS = frozenset({"math", "mrow", "mstyle", "mpadded", "menclose", "mtd"})


class Unwritable(ValueError):
    """MathML that has no counterpart here."""


def formula(mathml: str, *, display: bool) -> Any | None:
    """The element of a paragraph that shows this formula, on a line of its own or within one."""
    try:
        root = ET.fromstring(mathml)  # noqa: S314  our own, written from known elements
        inner = OxmlElement("m:oMath")
        inner.extend(_row(list(root), 0))
    except (ET.ParseError, Unwritable):
        return None
    if not display:
        return inner
    paragraph = OxmlElement("m:oMathPara")
    paragraph.append(inner)
    return paragraph


def _row(elements: Sequence[ET.Element], depth: int) -> list[Any]:
    """Elements beside each other: fences around what they hold, sums before what they sum."""
    if depth > _MAX_DEPTH:
        raise Unwritable
    written: list[Any] = []
    at = 0
    while at < len(elements):
        end = _closing(elements, at)
        if end is not None:
            inner = _row(elements[at + 1 : end], depth + 1)
            closing = _text(elements[end]) if end < len(elements) else ""
            written.append(fenced(_text(elements[at]), closing, inner))
            at = end + 1
        elif _is_large(elements[at]):
            written.append(_large(elements[at], elements[at + 1 : at + 2], depth))
            at += 2
        else:
            written += _element(elements[at], depth)
            at += 1
    return written


def _closing(elements: Sequence[ET.Element], at: int) -> int | None:
    """Where the fence that begins here ends; None when none begins, or it does not grow."""
    opening = elements[at]
    if opening.tag != "mo" or opening.get("form") == "postfix":
        return None
    if opening.get("form") == "prefix" and opening.get("fence") == "true":
        ends = (i for i in range(at + 1, len(elements)) if elements[i].get("form") == "postfix")
        return next(ends, len(elements))
    tall = at + 2 < len(elements) and elements[at + 1].tag in {"mtable", "mfrac"}
    pair = _PAIRS.get(_text(opening))
    return at + 2 if tall and pair is not None and _text(elements[at + 2]) == pair else None


def _element(element: ET.Element, depth: int) -> list[Any]:
    if depth > _MAX_DEPTH:
        raise Unwritable
    tag = str(element.tag)
    if tag in _ROWS:
        return _row(list(element), depth + 1)
    if tag in {"mi", "mn", "mo", "mtext", "ms"}:
        return _run(element)
    if tag == "mspace":
        return [letters(" ")] if element.get("width") else []
    write = _WRITERS.get(tag)
    if write is None:
        raise Unwritable(tag)
    return [write(list(element), element, depth + 1)]


def _run(element: ET.Element) -> list[Any]:
    text = _text(element)
    if not text:
        return []
    upright = element.tag in {"mtext", "ms"} or (
        len(text) > 1 and text.isascii() and text.isalpha()
    )
    return [letters(text, upright=upright)]


def _fraction(parts: list[ET.Element], element: ET.Element, depth: int) -> Any:
    top, bottom = _exactly(parts, 2)
    made = OxmlElement("m:f")
    if element.get("linethickness") in {"0", "0px", "0pt"}:
        made.append(properties("m:fPr", value("m:type", "noBar")))
    made.append(_holder("m:num", [top], depth))
    made.append(_holder("m:den", [bottom], depth))
    return made


def _scripts(name: str, *places: str) -> Callable[[list[ET.Element], ET.Element, int], Any]:
    def write(parts: list[ET.Element], _: ET.Element, depth: int) -> Any:
        made = OxmlElement(name)
        for place, part in zip(places, _exactly(parts, len(places)), strict=True):
            made.append(_holder(place, [part], depth))
        return made

    return write


def _under(parts: list[ET.Element], _: ET.Element, depth: int) -> Any:
    base, below = _exactly(parts, 2)
    if _text(below) in _BARS | _BRACES:
        return _barred(base, _text(below), "bot", depth)
    return _limit("m:limLow", _holder("m:e", [base], depth), below, depth)


def _over(parts: list[ET.Element], _: ET.Element, depth: int) -> Any:
    base, above = _exactly(parts, 2)
    mark = _text(above)
    if mark in _BARS | _BRACES:
        return _barred(base, mark, "top", depth)
    if mark in _ACCENTS:
        made = OxmlElement("m:acc")
        made.append(properties("m:accPr", value("m:chr", _ACCENTS[mark])))
        made.append(_holder("m:e", [base], depth))
        return made
    return _limit("m:limUpp", _holder("m:e", [base], depth), above, depth)


def _under_and_over(parts: list[ET.Element], _: ET.Element, depth: int) -> Any:
    base, below, above = _exactly(parts, 3)
    inner = OxmlElement("m:e")
    inner.append(_limit("m:limLow", _holder("m:e", [base], depth), below, depth))
    return _limit("m:limUpp", inner, above, depth)


def _limit(name: str, base: Any, limit: ET.Element, depth: int) -> Any:
    made = OxmlElement(name)
    made.append(base)
    made.append(_holder("m:lim", [limit], depth))
    return made


def _barred(base: ET.Element, mark: str, place: str, depth: int) -> Any:
    is_brace = mark in _BRACES
    made = OxmlElement("m:groupChr" if is_brace else "m:bar")
    values = [value("m:chr", mark)] if is_brace else []
    made.append(
        properties("m:groupChrPr" if is_brace else "m:barPr", *values, value("m:pos", place))
    )
    made.append(_holder("m:e", [base], depth))
    return made


def _root(parts: list[ET.Element], element: ET.Element, depth: int) -> Any:
    made = OxmlElement("m:rad")
    if element.tag == "msqrt":
        made.append(properties("m:radPr", value("m:degHide", "1")))
        made.append(OxmlElement("m:deg"))
        made.append(_holder("m:e", parts, depth))
    else:
        base, degree = _exactly(parts, 2)
        made.append(_holder("m:deg", [degree], depth))
        made.append(_holder("m:e", [base], depth))
    return made


def _table(rows: list[ET.Element], _: ET.Element, depth: int) -> Any:
    made = OxmlElement("m:m")
    columns = max((len(row) for row in rows), default=0)
    for row in rows:
        line = OxmlElement("m:mr")
        line.extend(_holder("m:e", [cell], depth) for cell in row)
        line.extend(OxmlElement("m:e") for _ in range(columns - len(row)))
        made.append(line)
    return made


def _is_large(element: ET.Element) -> bool:
    """A sum, an integral and the like with limits."""
    has_limits = element.tag in {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
    return has_limits and len(element) > 0 and _text(element[0]) in _LARGE


def _large(element: ET.Element, following: Sequence[ET.Element], depth: int) -> Any:
    sign = _text(element[0])
    below, above = {
        "msub": (element[1:2], []),
        "munder": (element[1:2], []),
        "msup": ([], element[1:2]),
        "mover": ([], element[1:2]),
    }.get(str(element.tag), (element[1:2], element[2:3]))
    made = OxmlElement("m:nary")
    where = "undOvr" if sign in _UNDER_AND_OVER else "subSup"
    values = [value("m:chr", sign), value("m:limLoc", where)]
    values += [value("m:subHide", "1")] if not below else []
    values += [value("m:supHide", "1")] if not above else []
    made.append(properties("m:naryPr", *values))
    made.append(_holder("m:sub", below, depth))
    made.append(_holder("m:sup", above, depth))
    made.append(_holder("m:e", following, depth))
    return made


def _holder(name: str, elements: Sequence[ET.Element], depth: int) -> Any:
    made = OxmlElement(name)
    made.extend(_row(list(elements), depth + 1))
    return made


def _exactly(parts: list[ET.Element], count: int) -> list[ET.Element]:
    if len(parts) != count:
        raise Unwritable
    return parts


def _text(element: ET.Element) -> str:
    return element.text or "" if len(element) == 0 else ""


_WRITERS = {
    "mfrac": _fraction,
    "msub": _scripts("m:sSub", "m:e", "m:sub"),
    "msup": _scripts("m:sSup", "m:e", "m:sup"),
    "msubsup": _scripts("m:sSubSup", "m:e", "m:sub", "m:sup"),
    "munder": _under,
    "mover": _over,
    "munderover": _under_and_over,
    "msqrt": _root,
    "mroot": _root,
    "mtable": _table,
}
