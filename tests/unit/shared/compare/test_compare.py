"""Agreement and word differences of two readings."""

import time

from hypothesis import given
from hypothesis import strategies as st

from shared.compare import measure, word_differences
from shared.compare.differences import MAX_WORDS


def test_the_same_text_agrees_whatever_its_quotes_dashes_and_breaks():
    found = measure("“So—it goes”,\nhe  said.", '"So-it goes", he said.')
    assert (found.agreement, found.words_in_common) == (1.0, 1.0)


def test_agreement_falls_with_every_wrong_letter():
    assert measure("abcdefghij", "abcdefghij").agreement == 1.0
    assert measure("abcdefghij", "abcdefghiX").agreement == 0.9
    assert measure("abcdefghij", "").agreement == 0.0
    assert measure("", "").agreement == 1.0


def test_columns_read_in_another_order_have_their_words_in_common():
    left, right = "one two three four five", "six seven eight nine ten"
    found = measure(f"{left} {right}", f"{right} {left}")
    assert found.words_in_common == 1.0
    assert found.order_difference == round(25 / 45, 4)
    assert found.agreement < 0.6


def test_order_is_counted_in_pairs_and_unknown_with_too_few_words():
    assert measure("a b c d", "a b c d").order_difference == 0.0
    assert measure("a b c d", "d c b a").order_difference == 1.0
    assert measure("a b c d", "b a c d").order_difference == round(1 / 6, 4)
    assert measure("a b", "b a").order_difference is None


def test_differences_are_words_and_single_chinese_characters():
    pieces, is_cut = word_differences("The brown fox 中文测试", "The brawn fox 中文测验")
    assert not is_cut
    assert [(p.kind, p.left, p.right) for p in pieces] == [
        ("same", "The ", "The "),
        ("changed", "brown ", "brawn "),
        ("same", "fox 中文测", "fox 中文测"),
        ("changed", "试", "验"),
    ]


@given(st.text("ab c.\n中文’'", max_size=60), st.text("ab c.\n中文’'", max_size=60))
def test_the_pieces_give_both_texts_again(left, right):
    pieces, _ = word_differences(left, right)
    if left.strip() and right.strip():
        assert "".join(piece.left for piece in pieces) == left
        assert "".join(piece.right for piece in pieces) == right
    same = [piece for piece in pieces if piece.kind == "same"]
    assert all(piece.left and piece.right for piece in same)


def test_a_text_without_end_is_compared_in_bounded_time():
    left = " ".join(f"word{n % 5000}" for n in range(200_000))
    right = left.replace("word7", "w0rd7")
    started = time.perf_counter()
    pieces, is_cut = word_differences(left, right)
    assert is_cut
    assert sum(len(piece.left.split()) for piece in pieces) == MAX_WORDS
    assert 0.5 < measure(left, right).agreement < 1.0
    assert time.perf_counter() - started < 10
