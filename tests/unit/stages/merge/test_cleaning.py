"""The first steps of merging, each by itself."""

import pytest

from shared.blocks import BlockType
from stages.merge.cleaning import clean, cleaned, find_code, find_lists, join_block
from tests.fakes.merge_jobs import block


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("text", "cafe\u0301 \x07bell", "café bell"),
        ("text", "```markdown\nSome *prose*.\n```", "Some *prose*."),
        ("text", "```\nSome prose.", "Some prose."),
        ("table", "```html\n<table><tr><td>1</td></tr></table>\n```", None),
        ("equation", "```latex\n\\frac{a}{b\n```", "\\frac{a}{b}"),
        ("code", "```python\nx = 1\n```", "```python\nx = 1\n```"),
        ("text", "see $x^{2$ there", "see $x^{2}$ there"),
        ("text", "costs $5 or {more", "costs $5 or {more"),
        ("code", "$a{b$", "$a{b$"),
        ("text", "```\n```", "```\n```"),
    ],
)
def test_clean(kind, before, after):
    expected = "<table><tr><td>1</td></tr></table>" if after is None else after
    assert clean(block(kind, 0, before)).content == expected


def test_a_table_is_safe_whatever_is_left_out():
    hostile = block("table", 0, "<table><tr><td onclick=x>1<script>x</script></td></tr></table>")
    everything = {"clean", "code", "lists"}
    (safe,) = cleaned([hostile], everything)
    assert "onclick" not in safe.content
    assert "<script" not in safe.content


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("```python\nprint(1)\n```", BlockType.CODE),
        ("text with `code` in it", BlockType.TEXT),
        ("```\na\n```\nand more", BlockType.TEXT),
    ],
)
def test_fenced_text_is_code(content, kind):
    assert find_code(block("text", 0, content)).type is kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("- one\n- two", BlockType.LIST),
        ("• one\n  • two\n• three", BlockType.LIST),
        ("1. one\n2. two\n3. three", BlockType.LIST),
        ("- one", BlockType.TEXT),
        ("- one\nand on", BlockType.TEXT),
        ("12. May was cold.\n30. June was not.", BlockType.TEXT),
        ("1. one\n- two", BlockType.TEXT),
        ("\\- one\n\\- two", BlockType.TEXT),
    ],
)
def test_text_of_marked_lines_is_a_list(content, kind):
    found = find_lists(block("text", 0, content))
    assert (found.type, found.content) == (kind, content)


def test_lines_are_joined_with_the_documents_compounds():
    narrow = "a long line of text that is full well-\nknown to us and goes on for a while more\nend"
    assert "wellknown" not in join_block(block("text", 0, narrow), {"well-known"}).content
    code = block("code", 0, "a\nb")
    assert join_block(code, set()) is code
