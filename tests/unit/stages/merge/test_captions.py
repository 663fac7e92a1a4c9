from shared.blocks import BlockType
from stages.merge.captions import attach_captions
from tests.fakes.merge_jobs import block


def test_a_caption_finds_the_nearest_figure_in_its_column():
    blocks = [
        block("figure", 0, "", bbox=(0.1, 0.1, 0.45, 0.3)),
        block("figure", 1, "", bbox=(0.55, 0.1, 0.9, 0.32)),
        block("caption", 2, "Figure 1", bbox=(0.1, 0.31, 0.45, 0.33)),
        block("caption", 3, "Figure 2", bbox=(0.55, 0.33, 0.9, 0.35)),
    ]
    assert [b.caption_of for b in attach_captions(blocks)] == [None, None, 0, 1]


def test_its_first_word_decides_between_a_table_and_a_figure():
    blocks = [
        block("figure", 0, "", bbox=(0.1, 0.1, 0.9, 0.3)),
        block("caption", 1, "Table 1: sums", bbox=(0.1, 0.31, 0.9, 0.33)),
        block("table", 2, "<table></table>", bbox=(0.1, 0.36, 0.9, 0.6)),
    ]
    assert attach_captions(blocks)[1].caption_of == 2


def test_the_engines_word_stays_unless_it_names_nothing():
    blocks = [
        block("figure", 0, "", bbox=(0.1, 0.1, 0.9, 0.3)),
        block("figure", 1, "", bbox=(0.1, 0.5, 0.9, 0.7)),
        block("caption", 2, "a", bbox=(0.1, 0.31, 0.9, 0.33), caption_of=1),
        block("caption", 3, "b", bbox=(0.1, 0.71, 0.9, 0.73), caption_of=99),
    ]
    assert [b.caption_of for b in attach_captions(blocks)][2:] == [1, 1]


def test_a_text_that_is_plainly_a_caption_becomes_one():
    blocks = [
        block("figure", 0, "", bbox=(0.1, 0.1, 0.9, 0.3)),
        block("text", 1, "Figure 3: a map", bbox=(0.1, 0.31, 0.9, 0.33)),
        block("text", 2, "Figure 3 shows a map.", bbox=(0.1, 0.34, 0.9, 0.36)),
        block("text", 3, "Figure 4: far away", bbox=(0.1, 0.8, 0.9, 0.82)),
    ]
    made = attach_captions(blocks)
    assert [b.type for b in made[1:]] == [BlockType.CAPTION, BlockType.TEXT, BlockType.TEXT]


def test_a_caption_far_from_all_stays_alone():
    blocks = [
        block("figure", 0, "", bbox=(0.1, 0.1, 0.9, 0.2)),
        block("caption", 1, "x", bbox=(0.1, 0.8, 0.9, 0.82)),
    ]
    assert attach_captions(blocks)[1].caption_of is None
