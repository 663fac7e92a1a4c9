"""Entries below the heading of a bibliography."""

from shared.blocks import BlockType
from stages.merge.references import References
from tests.fakes.merge_jobs import block

ENTRY = "Smith, J. and Doe, K. A title. Journal, 2019."


def kinds(blocks):
    return [b.type.value for b in blocks]


def test_entries_are_references_until_the_next_heading_also_over_pages():
    steps = References()
    first = steps.apply(
        [
            block("text", 0, ENTRY),
            block("heading", 1, "7. References"),
            block("text", 2, "[1] One."),
            block("text", 3, ENTRY),
        ]
    )
    assert kinds(first) == ["text", "heading", "reference", "reference"]
    second = steps.apply(
        [
            block("text", 0, "12. Twelve, a book."),
            block("text", 1, "Some words that name no year."),
            block("figure", 2, ""),
            block("heading", 3, "Appendix"),
            block("text", 4, ENTRY),
        ]
    )
    assert kinds(second) == ["reference", "text", "figure", "heading", "text"]


def test_the_heading_is_known_in_several_languages_and_must_be_all_of_it():
    for words, inside in (
        ("Literaturverzeichnis", True),
        ("参考文献", True),
        ("**Bibliography**", True),
        ("References to other work in this field", False),
    ):
        steps = References()
        steps.apply([block("heading", 0, words)])
        assert steps.inside is inside, words


def test_nothing_is_dropped_and_order_is_that_of_reading():
    blocks = [block("text", 1, ENTRY), block("heading", 0, "References")]
    found = References().apply(blocks)
    assert [b.content for b in found] == [b.content for b in blocks]
    assert found[0].type is BlockType.REFERENCE
