"""Answers with odd fields cost their own page, and no other one; old answers cost none."""

import json
from dataclasses import replace

import pytest

from bus.worker import Delivery
from shared.blocks import Block, BlockType, PageOutput
from shared.messages import Committed, Result, page_key
from shared.page_codec import to_frames
from shared.records import Retry
from shared.routing import Route
from shared.settings import Settings
from shared.states import PageState
from stages.collect import Collector, outranks
from tests.fakes.recorded_line import RecordedLine
from tests.fakes.store_work import done, open_store, started

ROUTE = {"route": Route("text").to_json(), "worker": "text-1"}
OUTPUT = PageOutput((Block(BlockType.TEXT, 0, (0, 0, 1, 1), "words"),), b"raw", width=1, height=1)


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ({}, {"timings": {"total": "12"}}),
        ({}, {"images": ["figure-1"]}),
        ({"milliseconds": "soon"}, {}),
        ({"options": {"seed": {1, 2}}}, {}),
        ({"crashes": 10**30}, {}),
        ({"crashes": "many"}, {}),
        ({"route": {**ROUTE["route"], "turn": "first"}}, {}),
        ({"tries": [7]}, {}),
    ],
)
def test_an_odd_answer_fails_alone(store, header, field):
    job = started(store, pages=3, engines=["text"])
    line = RecordedLine()
    settings = Settings(engine_classes=("text=tests.fakes.engines:TextEngine",))
    collector = Collector(settings, store, line.worker(settings, "collect"))
    keys = [page_key(job.id, page, "text") for page in (1, 2, 3)]
    deliveries = []
    for key in keys:
        told, frames = ROUTE, to_frames(OUTPUT)
        if key == keys[1]:
            told = {**ROUTE, **header}
            frames[0] = json.dumps({**json.loads(frames[0]), **field}).encode()
            frames += [b"PNG"] * len(field.get("images", ()))
        deliveries.append(Delivery(Result(key, 1, "done", told), tuple(map(memoryview, frames))))
    assert collector._step(deliveries)
    states = [task.state for task in store.pages(job.id)]
    assert states == [PageState.DONE, PageState.FAILED, PageState.DONE]
    assert store.pages(job.id)[1].reason_type == "unreadable_answer"
    [committed] = line.all(Committed)
    assert set(committed.keys) == set(keys)
    assert not list((store.blobs.temp).iterdir())  # nothing is held any more


REFUSED = {"finding": "loop", "reason": "It repeats itself."}


def refused(job, turn):
    """An answer of that turn after which nothing is left to try: asked for by name, no fallback."""
    told = {**ROUTE, **REFUSED, "route": replace(Route("text"), turn=turn).to_json()}
    frames = tuple(map(memoryview, to_frames(OUTPUT)))
    return Delivery(Result(page_key(job.id, 1, "text"), 1, "done", told), frames)


def in_second_turn(store):
    """A job of one page that another attempt reads; a collector and what it says."""
    job = started(store, pages=1, engines=["text"])
    store.settle([Retry(job.id, 1, "text", 0, replace(Route("text"), turn=1))])
    line = RecordedLine()
    settings = Settings(engine_classes=("text=tests.fakes.engines:TextEngine",), fallback="never")
    return job, line, Collector(settings, store, line.worker(settings, "collect"))


def test_an_old_answer_ends_no_page_that_another_engine_reads(store):
    job, line, collector = in_second_turn(store)
    assert collector._step([refused(job, 0)])
    assert store.pages(job.id)[0].state is PageState.PENDING
    assert [told.again for told in line.all(Committed)] == [(page_key(job.id, 1, "text"),)]
    assert collector._step([refused(job, 1), refused(job, 0)])  # said again, beside the real one
    assert store.pages(job.id)[0].state is PageState.DONE
    assert line.all(Committed)[-1].again == ()


def test_an_old_failure_calls_nobody_back(store):
    job, line, collector = in_second_turn(store)
    key = page_key(job.id, 1, "text")
    told = {**ROUTE, "reason": "It ended.", "final": True}
    for turn, again in ((0, (key,)), (1, ())):
        header = {**told, "route": replace(Route("text"), turn=turn).to_json()}
        assert collector._step([Delivery(Result(key, 1, "failed", header), ())])
        assert line.all(Committed)[-1].again == again
    assert store.pages(job.id)[0].state is PageState.FAILED


def test_which_of_two_answers_to_a_page_counts():
    good, bad = done("job", 1), replace(failed_of(), turn=1)
    resort = replace(good, last_resort=True, turn=1)
    assert outranks(good, bad)
    assert outranks(replace(bad, turn=2), resort)
    assert not outranks(replace(resort, turn=0), bad)
    assert not outranks(Retry("job", 1, "text", 0, Route("text")), resort)
    assert outranks(replace(bad, turn=None), resort)  # what has no turn fits always
    assert not outranks(bad, replace(bad, turn=None))


def failed_of():
    return replace(done("job", 1), state=PageState.FAILED, result=None)
