"""Watchers get their job's events, or are told that they were too slow."""

import pytest

from shared.events import JobEvent
from shared.health import BusTable, WorkerStatus
from web.hub import Hub, page_key


def event(job: str, revision: int = 1) -> JobEvent:
    return JobEvent(job, "job", revision)


def table(*running: str, role: str = "engine") -> BusTable:
    worker = WorkerStatus("w", role, "s", 1, "h", "ready", running=running)
    return BusTable("e", 0.0, 0.0, workers=(worker,))


async def test_events_go_to_those_who_watch_the_job():
    hub = Hub()
    with hub.watch("a") as first, hub.watch("a") as second, hub.watch("b") as other:
        assert hub.watchers == 3
        hub.publish(event("a"))
        hub.publish(event("nobody"))
        assert await first.wait(1)
        assert first.take()[0] == second.take()[0] == [event("a")]
        assert other.take() == ([], False, False)
        assert not await other.wait(0.001)
    assert hub.watchers == 0


async def test_a_slow_watcher_is_bounded_and_told():
    hub = Hub()
    with hub.watch("a") as watch:
        for revision in range(5000):
            hub.publish(event("a", revision))
        events, lost, _ = watch.take()
        assert lost
        assert len(events) <= 256
        assert watch.take() == ([], False, False)


@pytest.mark.parametrize("key", ["split:job", "job:x:engine", "job:1:", "", "job"])
def test_other_keys_are_no_pages(key: str):
    assert page_key(key) is None


def test_running_pages_follow_the_table():
    hub = Hub()
    with hub.watch("j") as watch:
        hub.update(table("j:3:pymupdf", "split:j"))
        assert hub.running("j") == {(3, "pymupdf"): "pymupdf"}
        assert watch.take()[2]
        hub.update(table("j:3:pymupdf"))
        assert not watch.take()[2]
        hub.update(table("j:3:pymupdf", role="split"))
        assert hub.running("j") == {}
        assert watch.take()[2]
        hub.update(table("j:4:pymupdf"))
        watch.take()
        hub.forget_running()
        assert hub.running("j") == {}
        assert watch.take()[2]
