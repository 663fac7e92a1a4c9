"""Real sockets, a real broker process: round trips, restarts, drain, loss."""

import subprocess
import sys
import time

import pytest
import zmq
from live_bus import take, take_results, take_tasks, wait_for

from bus.broker import Broker
from shared.errors import Misconfigured
from shared.messages import Committed, PageReady, SplitDone, Submit, page_key
from shared.settings import Settings

ENGINE = "recognize.fake"

HOLDER = """
import sys, time, zmq
from bus.worker import Worker
from shared.settings import Settings
context = zmq.Context()
settings = Settings(bus=sys.argv[1], bus_events=sys.argv[2])
worker = Worker(context, settings, role="engine", service="recognize.fake", credit=1, engine="fake")
worker.set_status(state="ready")
worker.start()
[delivery] = worker.take(1)
worker.begin(delivery.message)
worker.progress()
print("running", flush=True)
time.sleep(60)
"""


def feed(split, job, pages, size=10):
    """Play the split stage for one job."""
    split.send(Submit(((job, "batch"),)))
    (task,) = take_tasks(split, 1)
    for page in pages:
        split.send(PageReady(page_key(job, page, "fake"), job, ENGINE, {}), [bytes(size)])
    split.send(SplitDone(task.key, task.lease, job, (max(pages), "fake"), finished=True))
    split.done(task.key)


def commit(collect, results):
    collect.send(Committed(tuple(result.key for result in results)))


def test_a_page_goes_round_and_its_worker_may_forget_it(bus):
    collect, engine, split = bus.worker("collect", 100), bus.worker("engine"), bus.worker("split")
    feed(split, "j", [1, 2, 3], size=100_000)
    for _ in range(3):
        (delivery,) = take(engine, 1)
        assert bytes(delivery.payload[0]) == bytes(100_000)
        engine.begin(delivery.message)
        engine.finish(delivery.message.key, delivery.message.lease, "done", {}, [b"answer"])
    commit(collect, take_results(collect, 3))
    assert engine.leave(5.0)


def test_a_killed_broker_is_replaced_and_nothing_in_hand_is_repeated(bus):
    collect, engine, split = (
        bus.worker("collect", 100),
        bus.worker("engine", 2),
        bus.worker("split"),
    )
    feed(split, "j", [1, 2])
    first, second = take_tasks(engine, 2)
    engine.begin(first)
    epoch = engine.epoch
    bus.kill_broker()
    engine.finish(first.key, first.lease, "done", {}, [b"answer"])
    bus.start_broker()
    wait_for(lambda: engine.epoch not in {"", epoch} and collect.epoch == engine.epoch)
    (result,) = take_results(collect, 1)
    feed(split, "j", [1, 2])
    assert engine.take(1, timeout_seconds=1.0) == []
    engine.finish(second.key, second.lease, "done", {}, [b"answer"])
    commit(collect, [result, *take_results(collect, 1)])
    assert engine.leave(5.0)


def test_a_collector_that_comes_late_gets_all_answers(bus):
    engine, split = bus.worker("engine"), bus.worker("split")
    feed(split, "j", [1])
    (task,) = take_tasks(engine, 1)
    engine.finish(task.key, task.lease, "done", {}, [b"answer"])
    assert engine.take(1, timeout_seconds=0.2) == []
    collect = bus.worker("collect", 100)
    commit(collect, take_results(collect, 1, 5.0))


def start_holder(bus):
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, bus.settings.bus, bus.settings.bus_events],
        stdout=subprocess.PIPE,
    )


def test_a_killed_worker_gives_its_page_to_the_next_within_milliseconds(bus):
    split = bus.worker("split")
    feed(split, "j", [1])
    holder = start_holder(bus)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"running\n"
    engine = bus.worker("engine")
    wait_for(lambda: engine.epoch != "")
    holder.stdout.close()
    began = time.monotonic()
    holder.kill()
    (task,) = take_tasks(engine, 1)
    took = time.monotonic() - began
    holder.wait()
    assert task.header["crashes"] == 1
    assert took < 0.25  # 2 to 7 ms on a quiet machine


def test_draining_gives_back_what_is_not_begun(bus):
    split, engine = bus.worker("split"), bus.worker("engine", 2)
    feed(split, "j", [1, 2])
    (task,) = take_tasks(engine, 1)
    engine.drain()
    assert engine.wait_drain(1.0)
    other = bus.worker("engine")
    (given,) = take_tasks(other, 1)
    assert given.key != task.key


def test_garbage_is_dropped_and_the_broker_goes_on(bus):
    noise = bus.context.socket(zmq.DEALER)
    noise.setsockopt(zmq.LINGER, 0)
    noise.connect(bus.settings.bus)
    for frames in ([b""], [b"x", b"y"], [b"\x01\xfa" + bytes(8), b"\xc1"], [bytes(10)] * 5):
        noise.send_multipart(frames)
    split, engine = bus.worker("split"), bus.worker("engine")
    feed(split, "j", [1])
    assert len(take_tasks(engine, 1)) == 1
    noise.close()


def test_a_public_address_is_refused():
    context = zmq.Context()
    with pytest.raises(Misconfigured):
        Broker(context, Settings(bus="tcp://0.0.0.0:45999", bus_events="tcp://127.0.0.1:45998"))
    context.term()
