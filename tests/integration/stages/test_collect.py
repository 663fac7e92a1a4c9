"""Answers with odd fields cost their own page, and no other one."""

import json

import pytest

from bus.worker import Delivery
from shared.blocks import Block, BlockType, PageOutput
from shared.messages import Committed, Result, page_key
from shared.page_codec import to_frames
from shared.routing import Route
from shared.settings import Settings
from shared.states import PageState
from stages.collect import Collector
from tests.fakes.recorded_line import RecordedLine
from tests.fakes.store_work import open_store, started

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
