"""What is done about kinds of regions that the layout model is known to get wrong."""

from types import SimpleNamespace

import pytest

from engines.layout import _region


def box(kind: str, *texts: str) -> SimpleNamespace:
    span = {
        "size": 12.0,
        "bbox": (0.0, 0.0, 90.0, 12.0),
        "font": "CMR12",
        "flags": 0,
        "char_flags": 0,
    }
    lines = [{"spans": [{**span, "text": text}], "bbox": (0, 0, 90, 12)} for text in texts]
    return SimpleNamespace(boxclass=kind, textlines=lines, table=None, x0=0, y0=0, x1=90, y1=12)


def kind_of(region_box: SimpleNamespace) -> str:
    return _region(region_box, key_value_tables=False).kind


@pytest.mark.parametrize(
    "text", ["a2 + 8 = 12", "E = mc2 (3)", "f(x) ≤ sin x", "x = y", "A ∈ B", "λ=1"]
)
def test_a_formula_that_stands_alone_is_no_heading(text: str):
    assert kind_of(box("section-header", text)) == "text"


@pytest.mark.parametrize(
    "text",
    [
        "Formula",
        "The case a = b",
        "2.1 Results",
        "= = =",
        "A = B and C",
        "Größe = 3",
        "C#",
        "1 + 1",
    ],
)
def test_a_heading_stays_one(text: str):
    assert kind_of(box("section-header", text)) == "section-header"


def test_only_a_single_line_is_taken_for_a_formula():
    assert kind_of(box("section-header", "x = y", "z = w")) == "section-header"
    assert kind_of(box("section-header", "Table 1. x = y")) == "caption"
