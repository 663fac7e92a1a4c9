from time import perf_counter

import pytest

from shared.blocks import Block, BlockType
from shared.render import sanitize_html, table_to_markdown, to_html, to_markdown, to_text
from shared.render.tables import read_table


def test_a_table_without_spans_becomes_pipes():
    html = "<table><tr><th>A</th><th>B</th></tr><tr><td>1 | 2</td><td><b>x</b>*</td></tr></table>"
    assert table_to_markdown(html) == "| A | B |\n| --- | --- |\n| 1 \\| 2 | **x**\\* |"


def test_short_rows_are_filled_up():
    html = "<table><tr><td>a</td></tr><tr><td>b</td><td>c</td></tr></table>"
    assert table_to_markdown(html) == "| a |  |\n| --- | --- |\n| b | c |"


def test_spans_stay_html():
    html = "<table><tr><td colspan=2 style='x'>a</td></tr><tr><td>b</td><td>c</td></tr></table>"
    assert table_to_markdown(html) == (
        '<table>\n<tr><td colspan="2">a</td></tr>\n<tr><td>b</td><td>c</td></tr>\n</table>'
    )


def test_text_outside_of_the_cells_is_kept():
    assert "stray" in table_to_markdown("<table>stray<tr><td>a</td></tr></table>")
    assert table_to_markdown("just text").strip() == "just text"


def test_formulas_in_cells_stay_formulas():
    pipes = "| A | B |\n|---|---|\n| $x_1$ | $$y$$ |"
    assert table_to_markdown(pipes) == "| A | B |\n| --- | --- |\n| $x_1$ | $$y$$ |"
    source = r"<table><tr><td>\(x_1\) or \[y_2\]</td><td>a_1 \( </td></tr></table>"
    assert table_to_markdown(source).startswith(r"| $x_1$ or $y_2$ | a_1 \\( |")


def test_pipes_from_a_model_are_a_table_too():
    pipes = "| A | B |\n|---|---|\n| 1 | 2 |"
    assert table_to_markdown(pipes) == "| A | B |\n| --- | --- |\n| 1 | 2 |"


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script><table><tr><td>x</td></tr></table>",
        "<table><tr><td onclick=alert(1) style='a'>x</td></tr></table>",
        "<table><tr><td><svg onload=alert(1)><circle/></svg>x</td></tr></table>",
        "<table><tr><td><img src=data:image/png;base64,x onerror=alert(1)>x</td></tr></table>",
        "<table><tr><td><a href='javascript:alert(1)'>x</a></td></tr></table>",
        "<table><tr><td><iframe srcdoc='<script>alert(1)</script>'></iframe>x</td></tr></table>",
        "<table><tr><td>x<table><tr><td><script>alert(1)</script>",
        "</td></tr></table><table><tr><td>x</b></i></table></table>",
        "<table><tr><td>x<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<table><tr><td colspan=-1 rowspan=99999999999 colspan=999999999>x</td></tr></table>",
    ],
)
def test_hostile_tables_lose_what_is_hostile_in_every_format(html):
    blocks = [Block(BlockType.TABLE, 0, (0, 0, 1, 1), html)]
    for out in (sanitize_html(html), table_to_markdown(html), to_html(blocks), to_markdown(blocks)):
        low = out.lower()
        for word in ("<script", "onclick", "onload", "onerror", "<svg", "<img", "<iframe", "<math"):
            assert word not in low.replace("\\<", ""), out
        assert "javascript:" not in low
        assert "href" not in low
        assert "99999" not in low
        assert "x" in low
    assert "x" in to_text(blocks)


@pytest.mark.parametrize(
    "content",
    [
        "<table>" * 50_000,
        "<div>" * 300_000,
        "<table><tr><td>" * 30_000,
        "<b>" * 200_000,
        "a" * 3_000_000,
        "<table><tr><td>" + "a" * 3_000_000,
        "<table>" + ("<tr>" + "<td>x</td>" * 100 + "</tr>") * 1000,
        "<table><tr>" + "<td colspan=1000>x</td>" * 1000,
        "<" * 200_000,
        "|" * 200_000 + "\n|---|\n",
        "<di<div>v>" * 20_000,
    ],
)
@pytest.mark.parametrize("kind", ["table", "text", "list", "code", "equation", "heading"])
def test_enormous_content_costs_seconds_at_most_and_is_cut_with_a_note(content, kind):
    blocks = [Block(BlockType(kind), 0, (0, 0, 1, 1), content)]
    for render in (to_markdown, to_html, to_text):
        began = perf_counter()
        out = render(blocks)
        assert perf_counter() - began < 5, (render.__name__, len(content))
        assert len(out) < 12_000_000


def test_a_table_of_100_000_cells_says_what_is_left_out():
    html = "<table>" + ("<tr>" + "<td>x</td>" * 100 + "</tr>") * 1000 + "</table>"
    assert table_to_markdown(html).endswith("[… 80000 more cells]")
    assert read_table(html).cut_cells == 80_000
