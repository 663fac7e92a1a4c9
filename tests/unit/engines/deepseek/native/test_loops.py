"""Loops are seen in tokens; pages that only look alike are not."""

import random

import pytest

from engines.deepseek.native.loops import LONGEST_PERIOD, loop_period


def _text(count: int, seed: int = 0) -> list[int]:
    draw = random.Random(seed)
    return [draw.randint(3, 120_000) for _ in range(count)]


@pytest.mark.parametrize("period", [1, 2, 7, 31, 100, LONGEST_PERIOD])
def test_a_repeated_run_is_a_loop(period: int) -> None:
    run = _text(period, seed=1)
    tokens = _text(500) + run * (1200 // period)
    assert loop_period(tokens) == period


def test_a_counter_within_the_run_does_not_hide_it() -> None:
    tokens = _text(300)
    for row in range(30):
        tokens += [*_text(59, seed=2), 1000 + row]
    assert loop_period(tokens) == 60


@pytest.mark.parametrize(
    "tokens",
    [
        _text(4000),
        _text(200),
        [5] * 200,  # a ruled line
        _text(900) + _text(40, seed=3) * 4,  # four rows of an empty form
        [token for row in range(60) for token in (128820, 7, _text(1, seed=row)[0], 128821, 11)],
        [],
    ],
)
def test_a_page_is_none(tokens: list[int]) -> None:
    assert loop_period(tokens) == 0


def test_a_loop_that_has_ended_is_none() -> None:
    assert loop_period(_text(100) + [9, 8, 7] * 200 + _text(300, seed=4)) == 0
