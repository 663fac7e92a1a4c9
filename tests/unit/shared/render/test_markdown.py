import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.blocks import Block, BlockType
from shared.render import to_html, to_markdown, to_text
from shared.render.inline import PLAIN_TAGS

SHA = "ab" * 32
READER = MarkdownIt("commonmark", {"html": True}).enable("table")
TEXT = st.text("ab1 \n#*_-+>|<[]()!$&.:`~\\=/中。<", max_size=40)

# Marks in pieces: a fuzz of 500,000 such texts found what single characters did not.
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                " ",
                "\n",
                "\n\n",
                "#",
                "*",
                "_",
                "- ",
                ">",
                "|",
                "<",
                "](",
                "$",
                "\\",
                "1.",
                "=",
            ),
            *("`", "``", "```", "~~~", "<b>", "<script>", "</td>", "<!--", "![a](b)", "<![CDATA["),
            *("[x](javascript:a)", "<https://a.b>", "$$", "&lt;", "    ", "\\\n", "  \n", "|-|"),
        ]
    ),
    max_size=9,
).map("".join)


def block(kind: str, content: str, order: int = 0, **values) -> Block:
    values.setdefault("bbox", (0.1, 0.1 + order / 100, 0.9, 0.11 + order / 100))
    return Block(type=BlockType(kind), order=order, content=content, **values)


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("title", "Moby\nDick", "# Moby Dick\n"),
        ("heading", "C #", "## C \\#\n"),
        ("text", "# no heading", "\\# no heading\n"),
        ("text", "1. no item", "1\\. no item\n"),
        ("text", "- no item", "\\- no item\n"),
        ("text", "-5 degrees", "-5 degrees\n"),
        ("text", "> no quote", "\\> no quote\n"),
        ("text", "2024 was. A year", "2024 was. A year\n"),
        ("text", "#hashtag *kept* `code`", "#hashtag *kept* `code`\n"),
        ("text", "    no code", "no code\n"),
        ("text", "a < b and 1<2", "a < b and 1<2\n"),
        ("text", "H<sub>2</sub>O <b>x</b>", "H<sub>2</sub>O <b>x</b>\n"),
        ("text", "the `<p class>` tag", "the `<p class>` tag\n"),
        ("text", "[1]: no definition", "\\[1]: no definition\n"),
        ("text", "* * *", "\\* * *\n"),
        ("equation", "\\[ x^2 \\]", "$$\nx^2\n$$\n"),
        ("equation", "$$a$$", "$$\na\n$$\n"),
        ("code", "x = `y`\n```\n", "````\nx = `y`\n```\n````\n"),
        ("code", "```py\nx\n```", "```py\nx\n```\n"),
        ("list", "• a\n• b\n  – c\n• d", "- a\n- b\n  - c\n- d\n"),
        ("list", "1. a\n2) b", "1. a\n2) b\n"),
        ("list", "plain\nlines", "- plain\n- lines\n"),
        ("list", "- long item that\n  goes on", "- long item that goes on\n"),
        ("list", "(a) one\n(b) two", "- (a) one\n- (b) two\n"),
        ("list", "- # no heading", "- \\# no heading\n"),
        ("figure", "no crop", "no crop\n"),
    ],
)
def test_a_block_becomes_the_markdown_that_a_person_would_write(kind, content, expected):
    assert to_markdown([block(kind, content)]) == expected


def test_furniture_is_left_out_unless_asked_for():
    blocks = [block("header", "Head"), block("text", "Body", 1), block("page_number", "7", 2)]
    assert to_markdown(blocks) == "Body\n"
    assert to_markdown(blocks, furniture=True) == "Head\n\nBody\n\n7\n"


def test_blocks_come_in_their_order_and_levels_are_kept():
    blocks = [block("text", "second", 2), block("heading", "first", 1, level=3)]
    assert to_markdown(blocks) == "### first\n\nsecond\n"


def test_a_figure_names_its_crop_and_has_its_caption_beside_it():
    blocks = [
        block("caption", "Figure 1", 0, caption_of=5),
        block("text", "between", 1),
        block("figure", "a [map]", 5, image=SHA),
    ]
    markdown = to_markdown(blocks, image_url=lambda sha: f"images/{sha}.png")
    assert markdown == f"between\n\nFigure 1\n\n![a \\[map\\]](images/{SHA}.png)\n"


def test_an_image_that_is_no_hash_never_becomes_an_address():
    markdown = to_markdown([block("figure", "x", image="../../etc/passwd")])
    assert markdown == "x\n"
    assert "passwd" not in to_html([block("figure", "x", image="../../etc/passwd")])


def test_a_column_break_inside_a_page_is_joined_around_what_stands_between():
    blocks = [
        block("text", "It was an exam-", 0),
        block("figure", "", 1, image=SHA),
        block("text", "ple of columns.", 2, continues_prev=True),
    ]
    assert to_markdown(blocks).startswith("It was an example of columns.\n\n![](images/")
    assert to_text(blocks) == "It was an example of columns.\n"


@pytest.mark.parametrize(
    "address", ["javascript:x", "JaVa&#115;cript:x", "data:text/html,x", "vbscript:x", "file:///x"]
)
def test_only_web_links_stay_links(address):
    for text in (f"[go]({address})", f"[go](<{address}>)", f"![go]({address})"):
        tokens = READER.parseInline(to_markdown([block("text", text)]))[0].children
        assert not [token for token in tokens if token.type in {"link_open", "image"}], text
    assert "[go](https://a.b)" in to_markdown([block("text", "[go](https://a.b)")])


@pytest.mark.parametrize(
    "content",
    [
        "\\`` a ` <script> `",
        "`a\nb` <script> `",
        "$a`b$ <script> `",
        "```x`` <script> `",
        "``\n<script>``",
        "```<script>$$```",
        "<b>\n`<script>`",
        "[a](<java\tscript:x>)",
    ],
)
def test_html_does_not_hide_in_what_only_looks_like_code(content):
    only_paragraphs(to_markdown([block("text", content)]))


def only_paragraphs(markdown: str) -> None:
    allowed = re.compile(rf"</?(?:{'|'.join(PLAIN_TAGS)})\s*/?>", re.IGNORECASE)
    for token in READER.parse(markdown):
        assert token.type in {"paragraph_open", "paragraph_close", "inline"}, markdown
        for child in token.children or []:
            assert child.type != "html_inline" or allowed.fullmatch(child.content), markdown
            assert child.type != "image", markdown
            assert not str(child.attrGet("href")).lower().startswith("java"), markdown


@given(TEXT | PIECES)
def test_text_is_never_anything_but_paragraphs(content):
    only_paragraphs(to_markdown([block("text", content)]))


def test_html_does_not_hide_between_the_backticks_of_joined_texts():
    first, second = block("text", "x ` y"), block("text", "z ` <script> `", 1, continues_prev=True)
    only_paragraphs(to_markdown([first, second]))
    first, second = block("text", "他\\"), block("text", "中<script>", 1, continues_prev=True)
    only_paragraphs(to_markdown([first, second]))


@given(st.lists(PIECES, min_size=1, max_size=3))
def test_joined_texts_are_never_anything_but_one_paragraph(contents):
    only_paragraphs(
        to_markdown([block("text", c, n, continues_prev=n > 0) for n, c in enumerate(contents)])
    )


@given(st.sampled_from([t for t in BlockType if t is not BlockType.TABLE]), TEXT | PIECES)
def test_no_letter_is_lost(kind, content):
    one = [block(kind.value, content)]
    assert letters(to_markdown(one, furniture=True)) == letters(content)


@given(TEXT, TEXT)
def test_no_letter_is_lost_where_blocks_are_joined(first, second):
    blocks = [block("text", first), block("text", second, 1, continues_prev=True)]
    assert letters(to_markdown(blocks)) == letters(first + second)


def test_marks_that_only_a_join_makes_a_rule_stay_text():
    first = block("text", "_")
    second = block("text", "__", 1, continues_prev=True)
    markdown = to_markdown([first, second])
    assert "<hr" not in MarkdownIt().render(markdown)
    assert "_ __" in markdown


def test_a_page_that_has_only_a_head_keeps_it():
    head = block("header", "All that this page says")
    number = block("page_number", "7", 1)
    assert to_markdown([head, number]) == "All that this page says\n"
    assert to_text([head, number]) == "All that this page says\n"
    assert "All that" in to_html([head, number])
    assert "All that" not in to_markdown([head, block("text", "Text.", 2)])
    assert to_markdown([number]) == ""
