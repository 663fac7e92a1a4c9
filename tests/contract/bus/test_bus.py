"""What the bus promises to workers and clients."""

import asyncio

from shared.events import JobEvent
from shared.health import GAUGES, BusTable
from shared.messages import Cancel, Closed, PageReady, Priority, Publish, Submit, page_key
from tests.fakes.live_bus import (
    ENGINE,
    answer,
    commit,
    feed,
    take,
    take_results,
    take_tasks,
    wait_for,
)


def test_a_page_goes_round_and_its_worker_may_forget_it(bus):
    collect, engine, split = bus.worker("collect", 100), bus.worker("engine"), bus.worker("split")
    feed(split, "j", [1, 2, 3], size=100_000)
    for _ in range(3):
        (delivery,) = take(engine, 1)
        assert bytes(delivery.payload[0]) == bytes(100_000)
        answer(engine, delivery.message)
    results = take(collect, 3)
    assert [bytes(r.payload[0]) for r in results] == [
        b"answer of " + page_key("j", page, "fake").encode() for page in (1, 2, 3)
    ]
    commit(collect, [delivery.message for delivery in results])
    assert engine.leave(5.0)


def test_no_more_is_out_than_the_credit_says(bus):
    engine, split = bus.worker("engine", 2), bus.worker("split")
    feed(split, "j", [1, 2, 3, 4, 5])
    take_tasks(engine, 2)
    assert engine.take(1, timeout_seconds=0.3) == []


def test_the_credit_may_grow_while_pages_are_out(bus):
    engine, split = bus.worker("engine", 1), bus.worker("split")
    feed(split, "j", [1, 2, 3, 4, 5])
    take_tasks(engine, 1)
    engine.set_credit(4)
    take_tasks(engine, 3)
    assert engine.take(1, timeout_seconds=0.2) == []


def test_a_restarted_broker_repeats_nothing_that_is_in_hand(bus):
    collect, engine = bus.worker("collect", 100), bus.worker("engine", 2)
    split = bus.worker("split")
    feed(split, "j", [1, 2])
    first, second = take_tasks(engine, 2)
    engine.begin(second)
    answer(engine, first)
    epoch = engine.epoch
    bus.restart_broker()
    wait_for(lambda: engine.epoch not in {"", epoch} and collect.epoch == engine.epoch)
    wait_for(lambda: split.epoch == engine.epoch)
    feed(split, "j", [1, 2])
    answer(engine, second)
    results = {}
    while len(results) < 2:  # the first may be said again meanwhile
        results |= {result.key: result for result in take_results(collect, 1)}
    assert engine.take(1, timeout_seconds=0.3) == []
    commit(collect, list(results.values()))
    assert engine.leave(5.0)


def test_a_collector_that_comes_late_gets_all_answers(bus):
    engine, split = bus.worker("engine"), bus.worker("split")
    feed(split, "j", [1])
    answer(engine, take_tasks(engine, 1)[0])
    assert engine.take(1, timeout_seconds=0.2) == []
    collect = bus.worker("collect", 100)
    commit(collect, take_results(collect, 1))
    assert engine.leave(5.0)


def test_an_answer_is_said_again_until_it_is_committed(bus):
    collect, engine, split = bus.worker("collect", 100), bus.worker("engine"), bus.worker("split")
    feed(split, "j", [1])
    answer(engine, take_tasks(engine, 1)[0])
    take_results(collect, 1)  # and forgotten, as by a collector that dies before its commit
    results = take_results(collect, 1)
    commit(collect, results)
    assert engine.leave(5.0)


def test_draining_gives_back_what_is_not_begun(bus):
    split, engine = bus.worker("split"), bus.worker("engine", 2)
    feed(split, "j", [1, 2])
    (task,) = take_tasks(engine, 1)
    engine.drain()
    assert engine.wait_drain(1.0)
    (given,) = take_tasks(bus.worker("engine"), 1)
    assert given.key != task.key
    assert engine.take(1, timeout_seconds=5.0) == []


def test_a_lost_worker_gives_its_pages_to_another_and_only_the_running_one_is_charged(bus):
    split, engine = bus.worker("split"), bus.worker("engine", 2)
    feed(split, "j", [1, 2])
    first, second = take_tasks(engine, 2)
    engine.begin(first)
    other = bus.worker("engine", 2)
    wait_for(lambda: other.epoch != "")  # a second Hello of this process would say that it lives
    bus.lose(engine)
    given = {task.key: task for task in take_tasks(other, 2)}
    assert given[first.key].header["crashes"] == 1
    assert given[second.key].header["crashes"] == 0


def test_a_cancelled_page_that_waits_at_a_worker_is_called_back(bus):
    split, engine = bus.worker("split"), bus.worker("engine", 3)
    feed(split, "j", [1, 2, 3])
    (running,) = take_tasks(engine, 1)
    wait_for(lambda: len(engine._holds.stages()) == 3)
    split.send(Cancel("j"))
    wait_for(lambda: len(engine._holds.stages()) == 1)
    feed(split, "k", [1])
    answer(engine, running)  # it is ignored where the truth is
    assert take_tasks(engine, 1)[0].job == "k"


def test_lanes_and_priority(bus):
    split = bus.worker("split", 2)
    split.send(Submit((("slow", "backfill"), ("late", "backfill"))))
    take_tasks(split, 2)
    for job in ("slow", "late"):
        split.send(PageReady(page_key(job, 1, "fake"), job, ENGINE, {}), [b"x"])
    split.send(Priority("late", "interactive"))
    split.send(Submit((("last", "batch"),)))
    engine = bus.worker("engine", 2)
    assert [task.job for task in take_tasks(engine, 2)] == ["late", "slow"]


def test_a_closed_job_is_forgotten(bus):
    split = bus.worker("split")
    feed(split, "j", [1])
    split.send(Closed(("j",)))
    feed(split, "k", [1])
    engine = bus.worker("engine", 2)
    assert [task.job for task in take_tasks(engine, 1)] == ["k"]
    assert engine.take(1, timeout_seconds=0.2) == []


async def test_a_client_hears_events_and_the_table(bus):
    client = bus.client()
    await client.start()
    tables, events = 0, []
    engine = bus.worker("engine")
    async with asyncio.timeout(10):
        async for event in client.watch():
            if isinstance(event, BusTable):
                tables += 1
                engine.send(Publish("j", "job", 3, {"state": "running"}))
            elif isinstance(event, JobEvent):
                events.append(event)
            if events and tables > 1:
                break
    assert (events[0].job, events[0].kind, events[0].data["state"]) == ("j", "job", "running")
    assert client.table is not None
    assert [w.role for w in client.table.workers] == ["broker", "engine"]
    assert client.table.counters.keys() >= GAUGES
    await client.close()
