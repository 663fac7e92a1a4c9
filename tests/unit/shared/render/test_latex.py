"""Formulas that a model left open are closed, and nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.render.latex import balanced


@pytest.mark.parametrize(
    ("given_", "whole"),
    [
        ("x^2 + \\frac{a}{b}", "x^2 + \\frac{a}{b}"),
        ("\\{ x \\}", "\\{ x \\}"),
        ("\\frac{a}{b", "\\frac{a}{b}"),
        ("x^{2}}", "x^{2}"),
        ("\\begin{matrix} a & b", "\\begin{matrix} a & b\\end{matrix}"),
        ("a \\end{matrix}", "a "),
        ("\\begin{a}{x\\end{a}", "\\begin{a}{x}\\end{a}"),
        ("\\left( \\frac{a}{b} \\right)", "\\left( \\frac{a}{b} \\right)"),
        ("\\left\\{ x", "\\left\\{ x\\right."),
        ("x \\right)", "x )"),
        ("\\leftarrow \\rightarrow", "\\leftarrow \\rightarrow"),
        ("ends in \\", "ends in \\"),
    ],
)
def test_what_is_open_is_closed_and_what_closes_nothing_goes(given_, whole):
    assert balanced(given_) == whole


@given(st.text("ab{}\\ ", max_size=40) | st.text("\\begin{a}\\end{a}{x}", max_size=60))
def test_a_balanced_formula_stays_balanced(latex):
    once = balanced(latex)
    assert balanced(once) == once
    plain = once.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
    assert plain.count("{") == plain.count("}")


def test_a_loop_is_left_alone():
    assert balanced("{" * 30_000) == "{" * 30_000
