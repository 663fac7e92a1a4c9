"""Real sockets, a real broker process: a killed worker, a killed broker, noise."""

import signal
import subprocess
import sys
import time

import pytest
import zmq

from bus.broker import Broker
from shared.errors import Misconfigured
from shared.settings import Settings
from tests.fakes.live_bus import commit, feed, take_results, take_tasks, wait_for

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


def test_who_says_goodbye_is_not_called_lost(bus, tmp_path):
    """Goodbye and the end of the connection reach a broker that was busy meanwhile together."""
    with (tmp_path / "log").open("wb") as bus.broker_log:
        bus.restart_broker()
        staying, leaving = bus.worker("engine"), [bus.worker("engine") for _ in range(20)]
        wait_for(lambda: all(worker.epoch for worker in (staying, *leaving)))
        bus.broker.send_signal(signal.SIGSTOP)
        assert all(worker.leave(1.0) for worker in leaving)
        bus.broker.send_signal(signal.SIGCONT)
        feed(bus.worker("split"), "j", [1])
        assert len(take_tasks(staying, 1)) == 1  # none is kept for those who left
        bus.lose(staying)
        wait_for(lambda: "is lost" in (tmp_path / "log").read_text())
        log = (tmp_path / "log").read_text()
    assert log.count("is lost") == 1, log


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
