"""Step after step, each once, until nothing is left."""

import pytest

from shared.routing import MOVES_TO_READY, Attempt, Route
from stages.gate.ladder import Step, next_step

RETRY = (("sampling", {"temperature": 0.2}), ("prompt", {"prompt": "free"}))


def climb(route, finding, *, retry=(), ranked=(), chosen=(), limit=20):
    """The steps from a route on, when every answer is refused with the same finding."""
    steps, tried = [], []
    while len(steps) < limit:
        tried.append(Attempt(route.engine, "refused", rung=route.rung, options=route.options))
        step = next_step(
            route,
            finding,
            tried,
            retry_options=retry if route.engine == "deepseek" else (),
            chosen=dict.fromkeys(chosen),
            ranked=ranked,
        )
        if step is None:
            return steps
        steps.append((step.engine, step.rung))
        route = Route(step.engine, rung=step.rung, options=step.options, text=route.text)
    raise AssertionError(steps)


FIRST = Route("deepseek", text="hidden", moves=MOVES_TO_READY)
ENGINES = ("deepseek", "mineru", "pymupdf")


@pytest.mark.parametrize("finding", ["loop", "cut"])
def test_a_loop_climbs_every_step(finding):
    assert climb(FIRST, finding, retry=RETRY, ranked=ENGINES) == [
        ("deepseek", "sampling"),
        ("deepseek", "prompt"),
        ("mineru", "engine"),
        ("pymupdf", "engine"),
        ("pymupdf", "text_layer"),
    ]


def test_sampling_does_not_help_an_empty_answer_and_nothing_helps_a_blank_page():
    assert climb(FIRST, "empty", retry=RETRY, ranked=("pymupdf",)) == [
        ("deepseek", "prompt"),
        ("pymupdf", "engine"),
        ("pymupdf", "text_layer"),
    ]
    assert climb(FIRST, "blank", retry=RETRY, ranked=ENGINES) == []
    assert climb(FIRST, "failed", retry=RETRY, ranked=("mineru",)) == [("mineru", "engine")]


def test_a_page_that_stays_has_only_its_own_engine():
    assert climb(FIRST, "loop", retry=RETRY) == [("deepseek", "sampling"), ("deepseek", "prompt")]
    assert climb(FIRST, "loop") == []


def test_options_that_a_person_set_are_not_overruled():
    assert climb(FIRST, "loop", retry=RETRY, chosen=["prompt"]) == [("deepseek", "sampling")]
    assert climb(FIRST, "loop", retry=RETRY, chosen=["prompt", "temperature", "ocr"]) == []


def test_several_options_of_one_rung_are_tried_in_order():
    retry = (("sampling", {"temperature": 0.2}), ("sampling", {"temperature": 0.6}))
    assert climb(FIRST, "loop", retry=retry) == [("deepseek", "sampling")] * 2


def test_the_text_layer_is_read_once():
    scan = Route("pymupdf", text="hidden")
    assert climb(scan, "empty") == [("pymupdf", "text_layer")]
    step = next_step(scan, "empty", [], retry_options=(), chosen={}, ranked=())
    assert step == Step("pymupdf", "text_layer", {"ocr": "never"})
    assert climb(Route("pymupdf", text="sound"), "loop") == []  # it was read first of all
    assert climb(Route("pymupdf", text=""), "empty") == []
    assert climb(Route("deepseek", text="sound"), "loop", ranked=("pymupdf",)) == [
        ("pymupdf", "engine")
    ]
