"""Formulas as Word's own: what a formula becomes, in letters that can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.render.mathml import latex_to_mathml
from stages.export.word_formula import formula


def shape(element) -> str:
    """Elements as name(…), letters as they are; of properties only their values."""
    name = element.tag.rpartition("}")[2]
    inner = "".join(shape(child) for child in element)
    if name == "r":
        return inner
    if name == "t":
        return element.text
    values = list(element.attrib.values())
    return f"{name}={values[0]};" if values else f"{name}({inner})"


def written(latex: str) -> str:
    mathml = latex_to_mathml(latex, display=False)
    assert mathml is not None
    element = formula(mathml, display=False)
    return shape(element).removeprefix("oMath(")[:-1]


@pytest.mark.parametrize(
    ("latex", "omml"),
    [
        ("a+1", "a+1"),
        ("x^2", "sSup(e(x)sup(2))"),
        ("x_i", "sSub(e(x)sub(i))"),
        ("x_i^2", "sSubSup(e(x)sub(i)sup(2))"),
        (r"\frac{a}{b}", "f(num(a)den(b))"),
        (r"\sqrt{x}", "rad(radPr(degHide=1;)deg()e(x))"),
        (r"\sqrt[3]{x}", "rad(deg(3)e(x))"),
        (
            r"\sum_{i=1}^{n} i+k",
            "nary(naryPr(chr=∑;limLoc=undOvr;)sub(i=1)sup(n)e(i))+k",
        ),
        (r"\int_0 x", "nary(naryPr(chr=∫;limLoc=subSup;supHide=1;)sub(0)sup()e(x))"),
        (r"\left(\frac{a}{b}\right)c", "d(dPr(begChr=(;endChr=);)e(f(num(a)den(b))))c"),
        (
            r"\begin{pmatrix}a&b\\c\end{pmatrix}",
            "d(dPr(begChr=(;endChr=);)e(m(mr(e(a)e(b))mr(e(c)e()))))",
        ),
        (
            r"\begin{pmatrix}a\\b\end{pmatrix}^{-1}",
            "sSup(e(d(dPr(begChr=(;endChr=);)e(m(mr(e(a))mr(e(b))))))sup(−1))",
        ),
        (r"\begin{aligned}a&=b\\&=c\end{aligned}", "m(mr(e(a)e(=b))mr(e()e(=c)))"),
        (r"\hat{x}", "acc(accPr(chr=\u0302;)e(x))"),
        (r"\overline{ab}", "bar(barPr(pos=top;)e(ab))"),
        (r"\underbrace{a}_{n}", "limLow(e(groupChr(groupChrPr(chr=⏟;pos=bot;)e(a)))lim(n))"),
        (r"\sin x", "rPr(sty=p;)sinx"),
        (r"\text{a < b}", "rPr(sty=p;)a\xa0<\xa0b"),
    ],
)
def test_a_formula_is_one_of_word(latex: str, omml: str):
    assert written(latex) == omml


def test_one_of_its_own_line_is_a_paragraph_of_formulas():
    element = formula("<math><mi>x</mi></math>", display=True)
    assert shape(element) == "oMathPara(oMath(x))"


@pytest.mark.parametrize(
    "mathml",
    [
        "<math><mi>x</math>",
        "<math><mfrac><mi>a</mi></mfrac></math>",
        "<math><mmultiscripts><mi>C</mi></mmultiscripts></math>",
        "<math>" + "<mrow>" * 200 + "</mrow>" * 200 + "</math>",
        "<math>" + "<msqrt>" * 200 + "</msqrt>" * 200 + "</math>",
    ],
)
def test_what_has_no_counterpart_stays_latex(mathml: str):
    assert formula(mathml, display=True) is None


@given(st.text(alphabet="ab12^_{}\\ &()[]|+=<>frcsqtleigh", max_size=60))
def test_any_formula_keeps_its_letters_or_stays_latex(latex: str):
    mathml = latex_to_mathml(latex, display=False)
    element = formula(mathml, display=False) if mathml else None
    if mathml and element is not None:
        seen = shape(element)
        for digit in "12":
            assert seen.count(digit) >= mathml.partition(">")[2].count(f"<mn>{digit}</mn>")
