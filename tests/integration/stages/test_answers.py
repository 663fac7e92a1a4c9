"""What follows from answers, decided from messages and a real store."""

from dataclasses import replace

import pytest

from shared.blocks import Block, BlockType, PageOutput
from shared.messages import Result, page_key
from shared.page_codec import to_frames
from shared.records import Retry, Settled
from shared.routing import Route
from shared.settings import Settings
from shared.states import PageState
from stages.answers import Answers
from tests.fakes.store_work import open_store, started

ROUTE = Route(
    "better", "It is best.", engines=("better", "text"), text="", ink=0.02, moves="to_ready"
)
CLASSES = (
    "better=tests.fakes.engines:BetterEngine",
    "text=tests.fakes.engines:TextEngine",
)
CROP = b"\x89PNG a figure"


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def job(store):
    return started(store, pages=1, engines=["auto"])


@pytest.fixture
def follow(store, job):
    """Asks a collector of its own each time, as after a crash, and writes what it says."""

    def ask(output=None, finding="", route=ROUTE, outcome="done", **header):
        told = {"route": route.to_json(), "worker": "better-1", "milliseconds": 5.0, **header}
        if finding:
            told |= {"finding": finding, "reason": f"It is a {finding}."}
        message = Result(page_key(job.id, 1, "auto"), 1, outcome, told)
        answers = Answers(Settings(engine_classes=CLASSES), store)
        said = answers.consequence(message, to_frames(output) if output else ())
        return said, store.settle([said])

    return ask


def output(text="some words", source="model", **more):
    blocks = (Block(BlockType.TEXT, 0, (0, 0, 1, 1), text),) if text else ()
    return PageOutput(blocks, text.encode(), width=10, height=20, source=source, **more)


def climb(follow, finding, answer):
    """All answers until the page is settled, refused with the same finding."""
    said, _ = follow(answer, finding)
    steps = []
    while isinstance(said, Retry):
        route = replace(said.route, engines=ROUTE.engines, text=ROUTE.text, ink=ROUTE.ink)
        steps.append((route.engine, route.rung))
        said, _ = follow(answer, finding, route, options=dict(route.options))
    return steps, said


def test_a_good_answer_settles_its_page(follow, store, job):
    said, [change] = follow(output(), options={"a": 1}, attempts=2)
    assert isinstance(said, Settled)
    [task] = change.settled
    assert (task.engine, task.asked, task.choice) == ("better", "auto", "It is best.")
    assert (task.attempts, task.history) == (2, ())
    assert store.page_result(job.id, 1).options == {"a": 1}


def test_loops_of_models_fail_with_all_reasons_and_keep_their_text(follow, store, job):
    steps, said = climb(follow, "loop", output("la la la"))
    assert steps == [("better", "sampling"), ("better", "prompt"), ("text", "engine")]
    assert said.state is PageState.FAILED
    assert said.reason == ("No answer could be accepted. better: It is a loop. text: It is a loop.")
    [task] = store.pages(job.id)
    assert (task.turn, task.mark, len(task.history)) == (3, "failed", 4)
    kept = store.attempts(job.id, 1, "auto")
    assert {(a.text.strip(), a.answer) for a in kept} == {("la la la", None)}
    assert kept[1].options == {"temperature": 0.2}


def test_what_is_read_letter_by_letter_may_repeat_itself(follow, store, job):
    _, said = climb(follow, "loop", output("0 0 0", source="ocr"))
    assert said.state is PageState.DONE
    assert "repeats itself" in said.reason
    assert store.page_result(job.id, 1).warnings == (said.reason,)


def test_the_longest_of_those_cut_is_taken_with_its_figures(follow, store, job):
    crop = store.blobs.put(CROP)
    long = output("the long text", images={crop: CROP})
    said, _ = follow(long, "cut")
    for answer in ("short", "tiny"):
        said, _ = follow(output(answer), "cut", replace(said.route, engines=ROUTE.engines))
    said, [change] = follow(None, route=said.route, outcome="failed", final=True, reason="Gone.")
    [task] = change.settled
    assert (task.state, task.engine, task.rung) == (PageState.DONE, "better", "")
    assert "better was cut before its end" in task.reason
    result = store.page_result(job.id, 1)
    assert (result.text.strip(), result.images) == ("the long text", (crop,))
    assert store.blobs.read(crop) == CROP


def test_nothing_is_an_answer_when_nobody_finds_a_word(follow, store, job):
    steps, said = climb(follow, "empty", output(""))
    assert steps == [("better", "prompt"), ("text", "engine")]
    assert (said.state, said.engine) == (PageState.DONE, "text")
    assert "not blank" in said.reason
    assert [a.engine for a in store.pages(job.id)[0].history] == ["better", "better"]


def test_a_blank_page_is_empty_at_once_and_its_invention_is_kept(follow, store, job):
    steps, said = climb(follow, "blank", output("The Art of War"))
    assert (steps, said.state) == ([], PageState.DONE)
    result = store.page_result(job.id, 1)
    assert (result.text, result.blocks, result.raw, result.width) == ("", (), b"", 10)
    [kept] = store.attempts(job.id, 1, "auto")
    assert kept.text.strip() == "The Art of War"


def test_an_answer_that_comes_twice_moves_its_page_once(follow, store, job):
    first, _ = follow(output("la la"), "loop")
    again, changes = follow(output("la la"), "loop")
    assert (first.turn, again.turn, changes) == (0, 0, [])
    [task] = store.pages(job.id)
    assert (task.turn, len(task.history)) == (1, 1)
    late, [change] = follow(output("good after all"))
    assert isinstance(late, Settled)
    assert change.complete


def test_a_page_that_its_engine_refuses_goes_to_another_but_not_one_that_crashes_it(
    follow, store, job
):
    tries = [{"engine": "better", "outcome": "failed", "reason": "No.", "worker": "b", "at": 1.0}]
    said, _ = follow(None, outcome="failed", reason="No.", tries=tries * 3, attempts=3)
    assert (said.route.engine, said.route.rung, said.attempts) == ("text", "engine", 3)
    assert [a.outcome for a in store.pages(job.id)[0].history] == ["failed"] * 3
    crash = [{**tries[0], "outcome": "crashed"}]
    route = replace(said.route, engines=ROUTE.engines)
    said, _ = follow(
        None, route=route, outcome="failed", reason="Lost.", tries=crash, quarantined=True
    )
    assert (said.state, said.quarantined, said.reason) == (PageState.FAILED, True, "Lost.")


def test_a_page_that_stays_ends_with_the_reason_of_its_engine(follow):
    stays = replace(ROUTE, moves="")
    said, _ = follow(None, route=stays, outcome="failed", reason="No.", reason_type="no")
    assert (said.state, said.reason, said.reason_type) == (PageState.FAILED, "No.", "no")


def test_an_answer_that_cannot_be_read_is_a_failed_attempt(store, job):
    message = Result(page_key(job.id, 1, "auto"), 1, "done", {"route": ROUTE.to_json()})
    said = Answers(Settings(engine_classes=CLASSES), store).consequence(message, [b"no json"])
    assert isinstance(said, Retry)
    assert said.history[0].reason_type == "unreadable_answer"
