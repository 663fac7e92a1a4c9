"""Elements of Word's formulas (OMML) that several kinds of formula need."""

from typing import Any

from docx.oxml import OxmlElement
from docx.oxml.ns import qn


def letters(text: str, *, upright: bool = False) -> Any:
    """A run of letters; single ones are slanted unless `upright`."""
    run, shown = OxmlElement("m:r"), OxmlElement("m:t")
    if upright:
        run.append(properties("m:rPr", value("m:sty", "p")))
    shown.set(qn("xml:space"), "preserve")
    shown.text = text
    run.append(shown)
    return run


def fenced(opening: str, closing: str, inner: list[Any]) -> Any:
    """What stands between two fences that grow with it; "" for none."""
    made, held = OxmlElement("m:d"), OxmlElement("m:e")
    made.append(properties("m:dPr", value("m:begChr", opening), value("m:endChr", closing)))
    held.extend(inner)
    made.append(held)
    return made


def properties(name: str, *values: Any) -> Any:
    """An element that holds the settings of another; the schema asks for their order."""
    made = OxmlElement(name)
    made.extend(values)
    return made


def value(name: str, text: str) -> Any:
    """One setting."""
    made = OxmlElement(name)
    made.set(qn("m:val"), text)
    return made
