import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from shared.blocks import Block, BlockType
from shared.render import mathml, to_html

SHA = "ab" * 32
VOID = {"br", "img"}
TAGS = {
    *(
        [
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "p",
            "div",
            "span",
            "figure",
            "figcaption",
            "table",
            "tr",
            "td",
            "th",
            "ul",
            "ol",
            "li",
            "pre",
            "code",
        ]
    ),
    *(["sup", "sub", "b", "i", "em", "strong", "br", "s", "a", "img"]),
    *mathml.ELEMENTS,
}
ATTRIBUTES = {
    *(
        [
            "id",
            "class",
            "dir",
            "src",
            "alt",
            "loading",
            "href",
            "rel",
            "start",
            "colspan",
            "rowspan",
            "role",
        ]
    ),
    *(["data-page", "data-order", "data-type"]),
}


class Checker(HTMLParser):
    """Fails on anything that our HTML never has, and on tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        if tag in mathml.ELEMENTS:
            own = {"display", "alttext"}
            assert all(name in own or mathml._ATTRIBUTE.fullmatch(name) for name, _ in attrs), attrs
        else:
            assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(data)


def check(html: str) -> str:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker.text


def block(kind: str, content: str, order: int = 0, **values) -> Block:
    values.setdefault("bbox", (0.1, 0.1 + order / 100, 0.9, 0.11 + order / 100))
    return Block(type=BlockType(kind), order=order, content=content, **values)


HOSTILE = (
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<svg onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,AAAA)",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "<a href=javascript:alert(1)>x</a>",
    '"><script>alert(1)</script>',
    "$</span><script>alert(1)</script>$",
    "`</code><script>alert(1)</script>`",
    "```x\"onclick='y'\n</pre><script>alert(1)</script>\n```",
    "<b><i></b></i><sup>",
    "</div></p></main><!-- -->",
    "<https://a\"onmouseover='x'>",
    "- <script>alert(1)</script>\n  - <svg>",
)


def test_hostile_text_in_every_type_of_block_stays_text():
    for kind in BlockType:
        for content in HOSTILE:
            values = {"image": SHA} if kind is BlockType.FIGURE else {}
            html = to_html([block(kind.value, content, **values)], furniture=True)
            check(html)
            for href in re.findall(r'href="([^"]*)"', html):
                assert href.startswith(("http:", "https:", "mailto:"))


def test_each_block_carries_what_a_viewer_links_by():
    html = to_html([block("heading", "A & *b*", 4, level=2)], page=7)
    assert html == (
        '<h2 id="p7-b4" data-page="7" data-order="4" data-type="heading" dir="auto">'
        "A &amp; <em>b</em></h2>\n"
    )


def test_a_figure_holds_its_image_and_caption():
    blocks = [
        block("figure", 'a "map"', 1, image=SHA),
        block("caption", "Figure 1: *map*", 2, caption_of=1),
    ]
    html = to_html(blocks, image_url=lambda sha: f"/x/{sha}?a&b")
    check(html)
    assert f'<img src="/x/{SHA}?a&amp;b" alt="a &quot;map&quot;" loading="lazy">' in html
    assert html.index("<img") < html.index('<figcaption><div id="p1-b2"')


def test_formulas_keep_their_text():
    shown = to_html([block("text", "so $a<b$ is")])
    assert '<span class="math inline"><math display="inline" alttext="a&lt;b">' in shown
    assert "<mi>a</mi><mo>&lt;</mo><mi>b</mi>" in shown
    shown = to_html([block("equation", "$$x < 1$$")])
    assert '<math display="block" alttext="x &lt; 1">' in shown
    assert ">\\frac</div>" in to_html([block("equation", "\\frac")])
    assert "costs $5 and $6" in to_html([block("text", "costs $5 and $6")])


def test_formulas_in_cells_are_drawn_and_prices_are_not():
    cells = r"<td>$a&lt;b$ <b>\(\frac{c}{d}\)</b></td><td>$5 and $6</td><td><code>$x$</code></td>"
    shown = to_html([block("table", f"<table><tr>{cells}<td>$\\frac$</td></tr></table>")])
    check(shown)
    assert '<td><span class="math inline"><math display="inline" alttext="a&lt;b">' in shown
    assert "<b><span class" in shown
    assert "<mfrac><mrow><mi>c</mi></mrow><mrow><mi>d</mi></mrow></mfrac>" in shown
    assert "<td>$5 and $6</td><td><code>$x$</code></td>" in shown
    assert '<td><span class="math inline">\\frac</span></td>' in shown  # cannot be read
    pipes = to_html([block("table", "| A |\n|---|\n| $x^2$ |")])
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in pipes


def test_lists_nest_and_number():
    html = to_html([block("list", "3. a\n   - b\n   - c\n4. d")])
    check(html)
    assert '<ol start="3"><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ol>' in html


@given(
    st.lists(
        st.tuples(
            st.sampled_from([kind.value for kind in BlockType]),
            st.text("ab1 \n#*_-+>|<[]()!$&.:`~\\/\"'=中", max_size=40),
            st.booleans(),
        ),
        max_size=5,
    )
)
def test_whatever_the_blocks_hold_the_tags_match(parts):
    blocks = [
        block(kind, content, order, continues_prev=goes_on)
        for order, (kind, content, goes_on) in enumerate(parts)
    ]
    check(to_html(blocks, furniture=True))
