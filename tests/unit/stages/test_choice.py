"""Which engine a page goes to first, and where it goes when that engine is away."""

from dataclasses import replace

import pytest

from shared.ocr_backend import Capabilities, EngineOption
from shared.records import PageTask
from shared.routing import Attempt, Route
from shared.settings import Settings
from shared.states import PageState
from stages.choice import choose, engine_options, known_options, moves_of, plan, rank
from tests.fakes.merge_jobs import job

SETTINGS = Settings(engines=("pymupdf", "deepseek:gpu0"))
ALL = ("deepseek", "mine", "mineru", "pymupdf")


def page(asked="auto", **more):
    return PageTask("j", 1, asked, PageState.PENDING, **more)


def route_of(task, ready, text="", ink=0.02, left=(), settings=SETTINGS):
    moves = moves_of(job(task.asked), task.asked, settings)
    planned = plan(task, moves, ready, settings, left)
    return planned and choose(planned, text, ink, moves, settings, left)


def test_the_best_comes_first_and_the_cpu_last():
    assert rank(["pymupdf", "mine", "mineru", "deepseek", "mine"]) == [
        "deepseek",
        "mineru",
        "mine",
        "pymupdf",
    ]


@pytest.mark.parametrize(
    ("text", "ink", "ready", "engine", "words"),
    [
        ("sound", 0.02, ALL, "pymupdf", "has a sound text layer"),
        ("hidden", 0.02, ALL, "deepseek", "no sound text layer"),
        ("", 0.02, ALL, "deepseek", "no sound text layer"),
        ("", 0.02, ("mineru", "pymupdf"), "mineru", "mineru is the best engine"),
        ("", 0.02, ("pymupdf",), "pymupdf", "pymupdf is the best engine"),
        ("", 0.0, ALL, "pymupdf", "is blank"),
        ("", -1.0, ALL, "deepseek", "no sound text layer"),
        ("sound", 0.02, (), "pymupdf", "has a sound text layer"),
        ("", 0.02, (), "deepseek", "deepseek"),
    ],
)
def test_auto_looks_at_the_page_and_at_who_is_ready(text, ink, ready, engine, words):
    route = route_of(page(), ready, text, ink)
    assert (route.engine, route.moves, route.rung) == (engine, "to_ready", "")
    assert words in route.choice
    assert route.choice.endswith(".")


def test_auto_without_the_cpu_engine_takes_what_is_there():
    settings = Settings(engines=("deepseek",))
    for text in ("sound", ""):
        assert route_of(page(), ("deepseek",), text, settings=settings).engine == "deepseek"
    assert route_of(page(), (), settings=Settings(engines=())).engine == "pymupdf"


def test_a_page_that_left_an_engine_goes_to_the_next():
    route = route_of(page(), ALL, left=("deepseek",))
    assert (route.engine, route.rung) == ("mineru", "outage")
    assert route.choice.startswith("deepseek takes no such pages now. ")
    assert route_of(page(), ALL, "sound", left=("pymupdf",)).engine == "deepseek"


def test_a_name_takes_that_engine_ready_or_not():
    route = route_of(page("mineru"), ("pymupdf",), "sound")
    assert (route.engine, route.moves, route.choice) == ("mineru", "", "mineru was asked for.")


def test_a_name_may_move_where_the_settings_allow_it_and_nothing_is_compared():
    always = replace(SETTINGS, fallback="always")
    assert moves_of(job("mineru"), "mineru", always) == "to_ready"
    assert moves_of(job("mineru,pymupdf"), "mineru", always) == ""
    assert moves_of(job("auto"), "auto", replace(SETTINGS, fallback="never")) == ""
    route = route_of(page("mineru"), ("pymupdf",), left=("mineru",), settings=always)
    assert (route.engine, route.rung, route.moves) == ("pymupdf", "outage", "to_ready")


def test_a_step_of_the_ladder_is_followed_or_replaced_by_an_untried_engine():
    step = Route("mineru", "It is next.", "engine", turn=2, moves="always")
    task = page(route=step, history=(Attempt("deepseek", "refused"),))
    assert route_of(task, ("pymupdf",)) == step  # it waits for mineru
    route = route_of(task, ("deepseek", "pymupdf"), left=("mineru",))
    assert (route.engine, route.turn, route.moves) == ("pymupdf", 2, "always")
    assert route_of(task, ("deepseek",), left=("mineru",)) is None


def test_options_are_those_of_the_engine():
    takes = Capabilities(options=(EngineOption("b", "int", 0, ""), EngineOption("a", "int", 0, "")))
    assert engine_options({"a": 1, "merge_skip": "lists"}) == {"a": 1}
    assert known_options({"a": 1, "x": 2}, takes) == {"a": 1}
