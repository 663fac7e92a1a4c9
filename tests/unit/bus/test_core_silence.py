"""Processes that say nothing: nobody is charged until it is known what it was."""

from exchange import Exchange

from shared.messages import Committed, Exited, Kill

FEW = 6


def silent_worker(bus, name="a", **settings):
    bus.hello(name, **settings)
    (task,) = bus.tasks(name)
    bus.start(name, task)
    others = [p.decode() for p in bus.core.peers if p != name.encode()]
    bus.wait(4.5, tuple(others))
    assert name.encode() not in bus.core.peers
    return task


def test_a_silent_process_that_speaks_again_is_not_charged():
    bus = Exchange()
    (key,) = bus.pages("j", 1)
    task = silent_worker(bus)
    assert bus.crashes() == {key: 0}
    bus.hello("a", held=[(key, task.lease, "running")])
    bus.wait(40.0, ("a",))
    assert bus.crashes() == {key: 0}
    assert bus.core.counters["adopted"] == 1


def test_a_silent_process_whose_connection_ends_is_charged():
    bus = Exchange()
    (key,) = bus.pages("j", 1)
    silent_worker(bus)
    bus.lose("a")
    assert bus.crashes() == {key: 1}


def test_a_process_that_is_silent_for_as_long_as_a_hang_takes_is_killed_and_charged():
    bus = Exchange(hang_seconds=10.0)
    bus.hello("super", role="supervisor", credit=0)
    (key,) = bus.pages("j", 1)
    silent_worker(bus)
    bus.wait(4.0, ("super",))
    assert not bus.of("super", Kill)
    bus.wait(3.0, ("super",))
    (kill,) = bus.of("super", Kill)
    assert "silent" in kill.reason
    assert bus.crashes() == {key: 1}
    bus.say("super", Exited("host", kill.pid, signal=9))
    assert bus.crashes() == {key: 1}


def test_the_second_silence_is_not_risked_at_once():
    bus = Exchange(hang_seconds=10.0)
    (key,) = bus.pages("j", 1)
    silent_worker(bus, "a")
    silent_worker(bus, "b")
    bus.hello("c")
    assert bus.keys("c") == []
    bus.wait(12.0, ("c",))
    assert bus.keys("c") == [key]
    assert bus.crashes()[key] == 2  # both were silent for too long by then


def test_a_page_that_others_run_meanwhile_is_charged_where_it_is():
    bus = Exchange()
    (key,) = bus.pages("j", 1)
    bus.hello("b", credit=0)
    silent_worker(bus, "a")
    bus.hello("b")
    (task,) = bus.tasks("b")
    bus.say("super", Exited("host", int.from_bytes(b"a", "big"), signal=9))
    assert bus.crashes() == {key: 1}
    bus.answer("b", task)
    bus.hello("collect", role="collect")
    bus.commit(key)
    assert bus.of("b", Committed)


def test_a_broker_that_was_stopped_holds_nobody_for_silent():
    bus = Exchange(hang_seconds=5.0)
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    bus.start("a", bus.tasks("a")[0])
    bus.wait(1.5, ("a",))
    bus.now += 120.0
    bus.hear(bus.core.tick(bus.now))
    assert b"a" in bus.core.peers
    assert not bus.of("a", Kill)
    bus.wait(4.5)
    assert b"a" not in bus.core.peers
    assert key in bus.crashes()
