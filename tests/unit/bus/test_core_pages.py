"""Credit, lanes, order, retries, crashes and verdicts, as written exchanges."""

import pytest
from exchange import Exchange

from shared.errors import ProtocolError
from shared.messages import (
    Bye,
    Cancel,
    Closed,
    Committed,
    Exited,
    Kill,
    Priority,
    Result,
    Returned,
    Revoke,
    Table,
    Who,
)


def test_credit_is_never_exceeded_and_the_rest_follows_answers():
    bus = Exchange()
    bus.hello("a", credit=2)
    keys = bus.pages("j", 5)
    first = bus.tasks("a")
    assert [task.key for task in first] == keys[:2]
    bus.answer("a", first[0])
    assert bus.keys("a") == [keys[2]]


def test_the_least_loaded_worker_comes_first():
    bus = Exchange()
    bus.hello("a", credit=4)
    bus.hello("b", credit=4)
    bus.pages("j", 4)
    assert len(bus.keys("a")) == len(bus.keys("b")) == 2


def test_jobs_take_turns_and_pages_keep_their_order():
    bus = Exchange()
    first, second = bus.pages("j1", 3), bus.pages("j2", 3)
    bus.hello("a", credit=6)
    assert bus.keys("a") == [first[0], second[0], first[1], second[1], first[2], second[2]]


def test_lanes_are_strict_with_a_floor_for_the_lower_ones():
    bus = Exchange()
    bus.pages("low", 40, "backfill")
    bus.pages("middle", 40, "batch")
    bus.pages("high", 80, "interactive")
    bus.hello("a", credit=40)
    jobs = [task.job for task in bus.tasks("a")]
    assert jobs.count("high") == 36
    assert jobs.count("middle") == 2
    assert jobs.count("low") == 2


def test_an_interactive_page_waits_only_for_the_pages_in_hand():
    bus = Exchange()
    bus.hello("a", credit=2)
    bus.pages("book", 1000)
    in_hand = bus.tasks("a")
    (page,) = bus.pages("upload", 1, "interactive")
    bus.answer("a", in_hand[0])
    assert bus.keys("a") == [page]


def test_priority_moves_what_waits():
    bus = Exchange()
    bus.pages("j1", 2)
    (page,) = bus.pages("j2", 1, "backfill")
    bus.say("web", Priority("j2", "interactive"))
    bus.hello("a")
    assert bus.keys("a") == [page]


def test_an_unknown_lane_is_an_error_of_the_message():
    with pytest.raises(ProtocolError):
        Exchange().submit("j", "fastest")


def test_a_message_that_is_none_for_the_broker_is_refused():
    bus = Exchange()
    bus.hello("a")
    with pytest.raises(ProtocolError):
        bus.say("a", Table("e", 0.0, 0.0, (), {}, {}))


def test_returned_pages_go_to_the_head_in_their_order():
    bus = Exchange()
    bus.hello("split", role="split")
    bus.hello("a", credit=2)
    keys = bus.pages("j", 4)
    bus.say("a", Returned(tuple(bus.keys("a"))))
    assert bus.keys("a") == keys[:2]


def test_a_refused_page_is_tried_again_after_its_back_off_and_then_ends():
    bus = Exchange(page_attempts=3, backoff_seconds=1.0)
    bus.hello("collect", role="collect")
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    waits = []
    for _ in range(3):
        began = bus.now
        while not (tasks := bus.tasks("a")):
            bus.wait(0.05, ("a", "collect"))
        waits.append(bus.now - began)
        bus.start("a", tasks[0])
        bus.answer("a", tasks[0], "refused", reason="blank", reason_type="no_text")
        assert bus.of("a", Committed)[-1].keys == (key,)
    assert waits == pytest.approx([0.0, 1.0, 2.0], abs=0.11)
    (verdict,) = bus.of("collect", Result)
    assert (verdict.outcome, verdict.header["reason"]) == ("failed", "blank")
    assert verdict.header["attempts"] == 3
    assert not verdict.header["quarantined"]


def test_a_verdict_is_said_again_until_it_is_committed():
    bus = Exchange(page_attempts=1)
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    bus.answer("a", bus.tasks("a")[0], "refused")
    bus.hello("collect", role="collect")
    bus.wait(2.5, ("a", "collect"))
    assert len(bus.of("collect", Result)) >= 2
    bus.commit(key)
    bus.wait(2.5, ("a", "collect"))
    assert not bus.of("collect", Result)


def test_an_outside_failure_is_never_charged():
    bus = Exchange(page_attempts=2, backoff_seconds=0.1)
    bus.hello("collect", role="collect")
    bus.hello("a")
    bus.pages("j", 1)
    for _ in range(6):
        while not (tasks := bus.tasks("a")):
            bus.wait(0.2, ("a", "collect"))
        bus.answer("a", tasks[0], "outside", reason="no memory")
    assert not bus.of("collect", Result)


def test_a_crash_is_charged_only_to_the_running_page():
    bus = Exchange()
    bus.hello("a", credit=3)
    keys = bus.pages("j", 3)
    bus.start("a", bus.tasks("a")[0])
    bus.lose("a")
    assert {item.key: item.crashes for item in bus.core.items if item.key in keys} == {
        keys[0]: 1,
        keys[1]: 0,
        keys[2]: 0,
    }
    bus.hello("b", credit=3)
    assert bus.keys("b") == keys


def test_a_suspect_runs_alone_even_when_other_work_never_ends():
    bus = Exchange()
    bus.submit("j")
    bus.hello("a", credit=2)
    busy = bus.pages("other", 6)
    suspect = bus.page("j", 1, crashes=2)
    out = bus.tasks("a")
    assert [task.key for task in out] == busy[:2]
    bus.answer("a", out[0])
    more = bus.tasks("a")
    while suspect not in [task.key for task in more]:
        out = [*out[1:], *more]
        bus.answer("a", out[0])
        more = bus.tasks("a")
        assert len(bus.core.items) > 0
    assert len(bus.core.peers[b"a"].leases) == 1
    bus.answer("a", more[-1])
    assert len(bus.keys("a")) == 2


def test_a_suspect_goes_on_when_its_reserved_worker_is_lost_or_it_is_cancelled():
    bus = Exchange()
    bus.submit("j")
    bus.hello("a", credit=2)
    (other,) = bus.pages("other", 1)
    suspect = bus.page("j", 1, crashes=2)
    bus.lose("a")
    bus.hello("b", credit=2)
    assert bus.core.peers[b"b"].leases.keys() <= {other, suspect}
    for task in bus.tasks("b"):
        bus.answer("b", task)
    for task in bus.tasks("b"):
        bus.answer("b", task)
    assert not bus.core.peers[b"b"].leases
    again = bus.page("j", 2, crashes=2)
    assert bus.keys("b") == [again]
    bus.say("web", Cancel("j"))
    assert bus.of("b", Revoke)[0].keys == (again,)


def test_three_crashes_quarantine_with_the_signal():
    bus = Exchange()
    bus.hello("collect", role="collect")
    (key,) = bus.pages("j", 1)
    for name in ("a01", "a02", "a03"):
        bus.hello(name)
        bus.start(name, bus.tasks(name)[0])
        pid = bus.pid(name)
        bus.lose(name)
    assert not bus.of("collect", Result)  # it waits a moment for the supervisor's word
    bus.say("supervisor", Exited("host", pid, signal=9))
    (verdict,) = bus.of("collect", Result)
    assert verdict.header["quarantined"]
    assert verdict.header["crashes"] == 3
    assert verdict.header["signal"] == 9
    assert "signal 9" in verdict.header["reason"]
    bus.commit(key)
    bus.say("web", Closed(("j",)))
    bus.assert_empty()


def test_a_quarantine_comes_without_the_supervisor_too():
    bus = Exchange(crash_attempts=1)
    bus.hello("collect", role="collect")
    bus.pages("j", 1)
    bus.hello("a")
    bus.start("a", bus.tasks("a")[0])
    bus.lose("a")
    bus.wait(0.4, ("collect",))
    assert "connection" in bus.of("collect", Result)[0].header["reason"]


def test_goodbye_is_no_crash():
    bus = Exchange()
    bus.hello("a")
    bus.pages("j", 1)
    bus.start("a", bus.tasks("a")[0])
    bus.say("a", Bye())
    bus.hello("b")
    (task,) = bus.tasks("b")
    assert task.header["crashes"] == 0


def test_answers_of_a_lost_worker_are_given_out_again_after_a_grace():
    bus = Exchange()
    bus.hello("collect", role="collect")
    bus.hello("a", credit=2)
    keys = bus.pages("j", 2)
    for task in bus.tasks("a"):
        bus.answer("a", task)
    bus.lose("a")
    bus.hello("b", credit=2)
    bus.commit(keys[0])
    bus.wait(1.8, ("b", "collect"))
    assert bus.keys("b") == []
    bus.wait(0.4, ("b", "collect"))
    bus.hello("split", role="split")  # the broker let go of the bytes with the answer
    (chunk,) = bus.tasks("split")
    assert chunk.header["again"] == [[2, "fake", []]]
    bus.page("j", 2)
    assert bus.keys("b") == [keys[1]]


def test_the_grace_spares_a_worker_that_came_back_with_its_answer():
    bus = Exchange()
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    (task,) = bus.tasks("a")
    bus.answer("a", task)
    bus.lose("a")
    bus.hello("a", held=[(key, task.lease, "answered")])
    bus.wait(2.5, ("a",))
    assert bus.keys("a") == []


def test_a_late_answer_takes_the_page_out_of_the_queue():
    bus = Exchange()
    bus.hello("collect", role="collect")
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    (task,) = bus.tasks("a")
    bus.lose("a")
    bus.hello("a", held=[(key, task.lease, "answered")])
    bus.hello("b")
    assert bus.keys("b") == []
    bus.answer("a", task)
    bus.commit(key)
    assert bus.of("a", Committed)[-1].keys == (key,)
    bus.say("web", Closed(("j",)))
    bus.assert_empty()


def test_a_commit_calls_back_a_page_that_is_out_a_second_time():
    bus = Exchange()
    bus.hello("collect", role="collect")
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    (first,) = bus.tasks("a")
    bus.lose("a")
    bus.hello("b")
    bus.tasks("b")
    bus.hello("a", held=[(key, first.lease, "running")])
    bus.commit(key)
    assert bus.of("b", Revoke)[0].keys == (key,)
    bus.say("b", Returned((key,)))
    assert not bus.core.peers[b"b"].leases


def test_a_stranger_is_asked_who_it_is():
    bus = Exchange()
    bus.say("x", Result("j:1:fake", 1, "done"))
    assert bus.of("x", Who)
    assert len(bus.core.answers) == 0


@pytest.mark.parametrize("kept", [128, 600])  # it waits itself with large ones; small ones
def test_a_worker_with_too_many_open_answers_gets_no_more_and_does_not_hang(kept):
    bus = Exchange(hang_seconds=5.0)
    bus.hello("collect", role="collect")
    bus.hello("a", credit=4)
    keys = bus.pages("j", 600)
    answered = bus.core.peers[b"a"].answered
    while len(answered) < kept and (tasks := bus.tasks("a")):
        for task in tasks:
            bus.answer("a", task)
    count = len(answered)
    assert 128 <= count < 132 if kept == 128 else 512 <= count < 516
    bus.beat("a", keys[:count], ["x"])
    bus.wait(20.0, ("a", "collect"))
    assert not bus.of("a", Kill)
    bus.commit(*keys[:count])
    assert bus.keys("a")
