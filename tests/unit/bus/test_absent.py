"""Processes that are missing stay in the table, with a sentence."""

import pytest
from exchange import ENGINE, Exchange

from bus.absent import FORGOTTEN_SECONDS, HUNG_SHOWN_SECONDS
from shared.messages import Bye, Exited, Heartbeat, Hello, Kill


@pytest.fixture
def bus() -> Exchange:
    return Exchange()


def rows(bus: Exchange, state: str = "") -> dict[str, str]:
    return {
        w.worker: w.message
        for w in bus.core.workers(bus.now)
        if w.role == "engine" and (w.state == state or not state)
    }


def supervise(bus: Exchange, *processes: tuple[str, int, str]) -> None:
    if b"boss" not in bus.core.peers:
        bus.hello("boss", role="supervisor")
    listed = [
        {
            "name": name,
            "role": "engine",
            "service": ENGINE,
            "engine": "fake",
            "pid": pid,
            "state": state,
            "message": f"{name} {state}.",
        }
        for name, pid, state in processes
    ]
    bus.say("boss", Heartbeat((), (), 0, {"processes": listed}))


def join(bus: Exchange, name: str, pid: int, slot: str = "") -> None:
    hello = Hello(name, "engine", ENGINE, "host", pid, 1, engine="fake", slot=slot)
    bus.say(name, hello)


def test_a_lost_engine_stays_until_one_takes_its_place(bus):
    join(bus, "one", 11)
    bus.lose("one")
    assert "is gone: its connection ended" in rows(bus, "lost")["one"]
    join(bus, "two", 12)
    assert rows(bus) == {"two": ""}


def test_one_that_a_supervisor_lists_still_is_said_to_be_started_again(bus):
    join(bus, "one", 11, slot="one")
    supervise(bus, ("one", 11, "starting"))
    bus.lose("one")
    assert rows(bus, "lost") == {"one": "one is gone: its connection ended. It is started again."}


def test_restarts_are_counted_and_returns_are_not(bus):
    join(bus, "one", 11)
    bus.lose("one")
    join(bus, "one", 11)
    assert bus.core.counters["restarts"] == 0  # its connection had broken, no more
    bus.lose("one")
    join(bus, "two", 12)
    assert bus.core.counters["restarts"] == 1
    bus.say("two", Bye())
    join(bus, "three", 13)
    assert bus.core.counters["restarts"] == 1  # that one had been told to leave


def test_two_started_by_hand_in_one_place_are_two(bus):
    for name, pid in (("one", 11), ("two", 12)):
        join(bus, name, pid, slot="fake:")
    for name in ("one", "two"):
        bus.lose(name)
    assert set(rows(bus, "lost")) == {"one", "two"}
    join(bus, "three", 13, slot="fake:")
    assert set(rows(bus, "lost")) == {"two"}


def test_who_says_goodbye_is_not_missed(bus):
    join(bus, "one", 11)
    bus.say("one", Bye())
    assert rows(bus) == {}


def test_a_silent_one_is_shown_until_it_speaks(bus):
    join(bus, "one", 11)
    bus.wait(4.5)
    assert "says nothing any more" in rows(bus, "silent")["one"]
    (row,) = [w for w in bus.core.workers(bus.now) if w.worker == "one"]
    assert row.heartbeat_age_seconds >= 4.4
    join(bus, "one", 11)
    assert rows(bus, "silent") == {}


def test_a_lost_host_is_forgotten_after_a_day(bus):
    join(bus, "one", 11)
    bus.lose("one")
    bus.now += FORGOTTEN_SECONDS + 1
    assert rows(bus) == {}


def test_the_supervisors_word_stands_for_who_is_not_here(bus):
    supervise(bus, ("fake", 0, "starting"), ("fake-2", 5, "restarting"))
    assert rows(bus) == {"fake": "fake starting.", "fake-2": "fake-2 restarting."}
    join(bus, "one", 11, "fake")
    supervise(bus, ("fake", 11, "starting"), ("fake-2", 5, "restarting"))
    assert set(rows(bus)) == {"one", "fake-2"}
    bus.say("boss", Exited("host", 11, signal=9))
    supervise(bus, ("fake", 11, "restarting"), ("fake-2", 5, "restarting"))
    assert rows(bus)["fake"] == "fake restarting."
    assert "one" not in rows(bus)


def test_a_supervised_process_that_hangs_is_silent_and_not_starting(bus):
    supervise(bus, ("fake", 11, "starting"))
    join(bus, "one", 11, "fake")
    bus.wait(4.5, alive=("boss",))
    assert set(rows(bus, "silent")) == {"one"}
    assert rows(bus, "starting") == {}


def test_what_a_supervisor_lists_is_not_trusted_blindly(bus):
    bus.hello("boss", role="supervisor")
    bus.say("boss", Heartbeat((), (), 0, {"processes": [3, {"pid": "x"}, {}]}))
    assert len(bus.core.workers(bus.now)) == 2


def test_who_hung_is_shown_as_that_until_its_place_is_taken(bus):
    supervise(bus, ("text", 11, "starting"))
    join(bus, "text-11", 11, slot="text")
    bus.pages("j", 1)
    (task,) = bus.tasks("text-11")
    bus.start("text-11", task)
    bus.beat("text-11", held=[task.key], running=[task.key])
    while not bus.of("boss", Kill):
        bus.wait(1.0, ("text-11", "boss"))
    assert list(rows(bus, "hung")) == ["text-11"]
    bus.lose("text-11")
    for state, pid in (("restarting", 0), ("starting", 12)):
        supervise(bus, ("text", pid, state))
        assert "It made no progress" in rows(bus, "hung")["text"]
    join(bus, "text-12", 12, slot="text")
    assert rows(bus, "hung") == {}


def test_after_a_hang_what_keeps_the_next_process_away_is_told(bus):
    supervise(bus, ("text", 11, "starting"))
    join(bus, "text-11", 11, slot="text")
    bus.core.endings._found_hung(bus.core.peers[b"text-11"], bus.now)
    bus.lose("text-11")
    supervise(bus, ("text", 0, "restarting"))
    assert list(rows(bus)) == ["text"]
    bus.now += HUNG_SHOWN_SECONDS + 1
    assert rows(bus, "restarting") == {"text": "text restarting."}
