"""Formulas as MathML; their LaTeX is written by models and hostile."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.render.mathml import MAX_LATEX_CHARS, latex_to_mathml, with_mathml

PIECES = [
    *(r"\frac", r"\sqrt", r"\left(", r"\right)", r"\begin{matrix}", r"\end{matrix}", r"\\"),
    *("{", "}", "[", "]", "^", "_", "&", "%", "$", "x", "1", "<", ">", '"', "'", " "),
    *(r"\text{<script>alert(1)</script>}", r"\href{javascript:alert(1)}{x}", r"\class{a}{b}"),
    *(r"\style{background:url(//x)}{y}", r"\color{red}", r"\operatorname{on}", "文", r"\int"),
]


class Seen(HTMLParser):
    """The elements and attributes as a browser's parser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


def drawn(latex: str) -> str:
    found = latex_to_mathml(latex, display=False)
    assert found is not None
    return found


def test_a_fraction_is_drawn_and_its_latex_is_its_other_text():
    text = drawn(r"\frac{a}{b}")
    assert text.startswith('<math display="inline" alttext="\\frac{a}{b}">')
    assert re.search(r"<mfrac>.*<mi>a</mi>.*<mi>b</mi>.*</mfrac>", text)
    assert latex_to_mathml("x", display=True).startswith('<math display="block"')


def test_a_matrix_with_an_exponent_is_one_base():
    text = drawn(r"\begin{pmatrix}a\\b\end{pmatrix}^{-1}")
    assert re.search(r"<msup><mrow><mo>\(</mo><mtable>.*</mtable><mo>\)</mo></mrow><mrow>", text)
    text = drawn(r"\begin{bmatrix}a\end{bmatrix}_1^2")
    assert re.search(r"<msubsup><mrow><mo>\[</mo>.*<mo>\]</mo></mrow><m\w+>1", text)
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in drawn("x^2")


@pytest.mark.parametrize(
    ("environment", "cells"),
    [("aligned", 4), ("align", 4), ("eqnarray*", 4), ("gathered", 4), ("dcases", 4)],
)
def test_lines_below_each_other_are_a_table_without_numbers_of_its_own(environment, cells):
    text = drawn(rf"\begin{{{environment}}}a&=b\\&=c\end{{{environment}}}")
    assert text.count("<mtd") == cells
    assert "(1)" not in text
    assert "<mtd" in drawn(r"\begin{alignat}{2}a&=b\\&=c\end{alignat}")


@pytest.mark.parametrize(
    "latex",
    [
        r"\begin{strange}a&b\end{strange}",
        "",
        "  ",
        "{" * 2000,
        r"\frac",
        "x_1_2",
        "x" * (MAX_LATEX_CHARS + 1),
        r"\left(",
    ],
)
def test_what_cannot_be_read_is_none(latex):
    assert latex_to_mathml(latex, display=True) is None


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(x)}{y}",
        r"\text{</mtext></math><img src=x onerror=alert(1)>}",
        r"\class{evil}{x}",
    ],
)
def test_no_text_becomes_an_element_and_no_attribute_of_the_input_stays(latex):
    seen = Seen(drawn(latex))
    assert seen.tags <= {"math", "mrow", "mtext", "mi", "mo"}
    assert seen.names <= {"display", "alttext"}


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=80))
def test_any_text_gives_known_elements_or_nothing(latex):
    found = latex_to_mathml(latex, display=True)
    if found is None:
        return
    seen = Seen(found)
    assert all(re.fullmatch(r"m[a-z]+", tag) for tag in seen.tags)
    assert not any(name.startswith("on") or name in {"href", "style", "src"} for name in seen.names)


def test_formulas_in_html_are_drawn_and_others_are_left():
    text = 'a <span class="math inline">x&lt;y</span> <span class="math display">\\frac</span>'
    shown = with_mathml(text)
    assert "<mo>&lt;</mo>" in shown
    assert '<span class="math display">\\frac</span>' in shown
    assert with_mathml("no formula") == "no formula"
    assert html.unescape(shown).count("x<y") == 1
