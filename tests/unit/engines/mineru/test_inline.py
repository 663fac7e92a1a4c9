"""MinerU's spans as inline Markdown."""

import pytest

from engines.mineru.inline import to_markdown
from shared.render.inline import inline_html
from tests.unit.engines.mineru.middle import spans


def link(url, text="here"):
    return [{"type": "hyperlink", "url": url, "content": spans(text)}]


def formula(latex):
    return [{"type": "equation_inline", "content": latex}]


@pytest.mark.parametrize(
    ("given", "html"),
    [
        (spans("bold", "bold"), "<strong>bold</strong>"),
        (spans("both", "bold", "italic"), "<em><strong>both</strong></em>"),
        (spans(" edge, ", "bold"), "<strong>edge</strong>,"),
        (spans("gone", "strikethrough"), "<s>gone</s>"),
        (spans("underlined", "underline"), "underlined"),
        (spans("x") + spans("2", "superscript"), "x<sup>2</sup>"),
        (spans("H") + spans("2", "subscript") + spans("O"), "H<sub>2</sub>O"),
        (spans("word") + spans(", next", "bold"), "word, <strong>next</strong>"),
        (spans("a < b & c"), "a &lt; b &amp; c"),
        (spans("from 5$ to 6$."), "from 5$ to 6$."),
        (spans("a*b*c _d_"), "a*b*c _d_"),
        (spans("<b>", "bold"), "&lt;<strong>b</strong>&gt;"),
        ([{"type": "code_inline", "content": "a`b"}], "<code>a`b</code>"),
    ],
)
def test_styles_show_and_nothing_else_does(given, html):
    assert inline_html(to_markdown(given)) == html


def test_formulas_stand_between_dollars():
    assert to_markdown(spans("if ") + formula("x^2") + spans(" holds")) == "if $x^2$ holds"


def test_a_digit_behind_does_not_break_a_formula():
    shown = inline_html(to_markdown(formula("x") + spans("2")))
    assert '<span class="math inline">x</span>2' in shown


def test_links_lead_to_the_web_only():
    assert 'href="https://example.org/a_b"' in inline_html(
        to_markdown(link("https://example.org/a_b"))
    )
    for url in ("javascript:alert(1)", "file:///etc/passwd", "https://a> <b", "page2"):
        assert to_markdown(link(url)) == "here"


def test_what_makes_a_list_does_so_nowhere_but_at_the_start():
    assert to_markdown(spans("1. one")).startswith("1\\.")
    assert to_markdown(spans("see ") + spans("1. one")) == "see 1. one"
