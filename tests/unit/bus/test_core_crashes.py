"""Who is charged when processes end: the page, several pages, the place; or nobody yet."""

import pytest
from exchange import Exchange

from shared.messages import Result, SplitDone

FEW = 6


def run_until_settled(bus, poison, credit, rounds=200):
    """A worker that dies of `poison` with all that it had begun, and is started again each time.

    Returns (how often it died, keys that were answered).
    """
    died, answered = 0, []
    for number in range(rounds):
        name = f"w{number:03}"
        bus.hello(name, credit=credit, slot="one")
        while tasks := bus.tasks(name):
            for task in tasks:
                bus.start(name, task)
            if poison & {task.key for task in tasks}:
                died += 1
                bus.lose(name)
                break
            for task in tasks:
                bus.answer(name, task)
                answered.append(task.key)
                bus.commit(task.key)
        bus.wait(0.3, (name, "collect"))
        if all(item.is_split or item.state == "verdict" for item in bus.core.items):
            return died, answered
        bus.now += 60.0  # whatever a bad place must wait
        for peer in bus.core.peers.values():
            peer.seen_at = bus.now
        bus.wait(0.1, (name, "collect"))
        if name.encode() in bus.core.peers:
            bus.lose(name)
    raise AssertionError(bus.crashes())


def test_nobody_is_charged_when_several_pages_ran():
    bus = Exchange()
    keys = bus.pages("j", 4)
    assert bus.crash("a", credit=4) == keys
    assert set(bus.crashes().values()) == {0}
    bus.hello("b", credit=4)
    assert bus.keys("b") == keys[:2]  # a half, and nothing beside it
    bus.hello("c", credit=4)
    assert bus.keys("c") == keys[2:]


def test_pages_that_were_only_waiting_are_no_suspects():
    bus = Exchange()
    keys = bus.pages("j", 4)
    bus.hello("a", credit=4)
    for task in bus.tasks("a")[:2]:
        bus.start("a", task)
    bus.lose("a")
    bus.hello("b", credit=4)
    bus.hello("c", credit=4)
    bus.hello("d", credit=4)
    assert [bus.keys(name) for name in ("b", "c", "d")] == [[keys[0]], [keys[1]], keys[2:]]


def test_halving_finds_the_one_page_and_charges_no_other():
    bus = Exchange(window_pages=256)
    bus.hello("collect", role="collect")
    keys = bus.pages("j", 64)
    died, answered = run_until_settled(bus, {keys[37]}, credit=64)
    assert sorted(answered) == sorted(set(keys) - {keys[37]})
    assert died <= 7 + 3  # log2(64) halvings and itself, then three times alone
    (verdict,) = {
        result.key: result for result in bus.of("collect", Result) if result.outcome == "failed"
    }.values()
    assert verdict.key == keys[37]
    assert verdict.header["quarantined"]
    assert verdict.header["crashes"] == 3


def test_halving_finds_two_pages_too():
    bus = Exchange(window_pages=256)
    bus.hello("collect", role="collect")
    keys = bus.pages("j", 16)
    _, answered = run_until_settled(bus, {keys[3], keys[11]}, credit=16)
    assert sorted(answered) == sorted(set(keys) - {keys[3], keys[11]})


def test_a_page_found_by_halving_stays_alone():
    bus = Exchange()
    keys = bus.pages("j", 2)
    bus.crash("a", credit=2)
    assert bus.crash("b", credit=2) == [keys[0]]
    assert bus.crashes() == {keys[0]: 1, keys[1]: 0}
    bus.hello("c", credit=2)
    assert len(bus.tasks("c")) == 1  # never beside the other again


def test_a_page_lost_with_its_bytes_is_read_again_uncharged():
    bus = Exchange("e2")
    bus.submit("j")
    bus.hello("split", role="split")
    held = [("j:1:fake", 7, "running"), ("j:2:fake", 8, "running")]
    bus.hello("a", credit=2, held=held)
    bus.page("j", 1)
    bus.lose("a")
    bus.hello("b", credit=2)
    assert bus.keys("b") == ["j:1:fake"]
    bus.page("j", 2)
    bus.hello("c", credit=2)
    assert bus.keys("c") == ["j:2:fake"]
    assert set(bus.crashes().values()) == {0}


def test_a_group_is_given_on_when_its_worker_drains_or_is_lost():
    bus = Exchange()
    keys = bus.pages("j", 8)
    bus.crash("a", credit=8)
    bus.hello("b", credit=2)
    assert bus.keys("b") == keys[:2]
    bus.lose("b")  # nothing of it was running
    bus.hello("c", credit=8)
    assert sorted(bus.keys("c")) == sorted([keys[2], keys[3]])
    bus.hello("d", credit=8)
    bus.hello("e", credit=8)
    assert sorted(bus.keys("d") + bus.keys("e")) == sorted([*keys[4:], *keys[:2]])


def test_different_pages_that_end_one_place_are_the_place():
    bus = Exchange()
    keys = bus.pages("j", FEW)
    crashed = [bus.crash(f"a{n}", slot="gpu0")[0] for n in range(2)]
    assert crashed == [keys[0], keys[0]]
    bus.hello("good", slot="gpu1", credit=FEW)
    bus.lose("good")  # it had begun nothing
    bus.core.items.get(keys[0]).alone = False
    for n, page in enumerate(keys[1:3]):
        bus.core.state.requeue(bus.core.items.get(page))  # others come first
        assert bus.crash(f"b{n}", slot="gpu0") == [page]
    assert set(bus.crashes().values()) == {0}
    assert bus.core.counters["bad_workers"] == 1
    bus.hello("c", slot="gpu0")
    assert bus.keys("c") == []
    (row,) = bus.core.workers(bus.now)
    assert row.state == "blocked"
    assert "3 different pages" in row.message
    bus.hello("other", slot="gpu1", credit=FEW)
    assert len(bus.keys("other")) >= 1


def three_in_a_row(bus):
    keys = bus.pages("j", FEW)
    for n in range(3):
        bus.core.state.requeue(bus.core.items.get(keys[n]))
        assert bus.crash(f"a{n}", slot="gpu0") == [keys[n]]
    return keys


def test_a_bad_place_gets_one_page_on_trial_and_is_cleared_by_it():
    bus = Exchange()
    three_in_a_row(bus)
    bus.hello("b", slot="gpu0", credit=4)
    bus.wait(9.0, ("b",))
    assert bus.keys("b") == []
    bus.wait(2.5, ("b",))
    (task,) = bus.tasks("b")
    bus.answer("b", task)
    assert len(bus.keys("b")) == 4
    (row,) = bus.core.workers(bus.now)
    assert (row.state, row.message) == ("ready", "")


def test_a_bad_place_waits_longer_each_time_and_takes_another_page():
    bus = Exchange()
    keys = three_in_a_row(bus)
    tried = []
    for n, seconds in enumerate((11.5, 21.5, 41.5, 61.5, 61.5)):
        name = f"b{n}"
        bus.hello(name, slot="gpu0")
        bus.wait(seconds - 2.0, (name,))
        assert bus.keys(name) == []
        bus.wait(2.0, (name,))
        (task,) = bus.tasks(name)
        tried.append(task.key)
        bus.start(name, task)
        bus.lose(name)
    assert len(set(tried)) == len(tried)  # so nobody is charged three times for one bad place
    assert set(tried) <= set(keys)


def test_a_finished_page_in_between_says_that_it_is_the_pages():
    bus = Exchange(crash_attempts=3)
    bus.hello("collect", role="collect")
    for n in range(4):
        bus.pages(f"poison{n}", 1)
        bus.crash(f"a{n}", slot="gpu0")
        bus.pages(f"good{n}", 1, "interactive")
        bus.hello(f"b{n}", slot="gpu0")
        (task,) = bus.tasks(f"b{n}")
        bus.answer(f"b{n}", task)
        bus.lose(f"b{n}")
    assert bus.core.counters["bad_workers"] == 0
    assert sum(bus.crashes().values()) == 4


def test_one_page_three_times_is_the_page():
    bus = Exchange()
    bus.hello("collect", role="collect")
    bus.pages("j", 1)
    for n in range(3):
        bus.crash(f"a{n}", slot="gpu0")
    assert bus.core.counters["bad_workers"] == 0
    assert bus.core.counters["verdicts"] == 1


def test_a_document_that_ends_split_again_and_again_is_given_up():
    bus = Exchange(backoff_seconds=1.0)
    bus.hello("collect", role="collect")
    bus.submit("j")
    waits = []
    for n in range(3):
        name = f"s{n}"
        bus.hello(name, role="split")
        began = bus.now
        while not (tasks := bus.tasks(name)):
            bus.wait(0.1, (name, "collect"))
        waits.append(bus.now - began)
        bus.start(name, tasks[0])
        bus.lose(name)
    assert waits == pytest.approx([0.0, 1.0, 2.0], abs=0.2)
    bus.wait(0.4, ("collect",))
    verdict = bus.of("collect", Result)[0]
    assert (verdict.key, verdict.outcome) == ("split:j", "failed")
    assert "opened the document" in verdict.header["reason"]
    bus.commit("split:j")
    bus.hello("s9", role="split")
    bus.wait(1.0, ("s9", "collect"))
    assert bus.tasks("s9") == []


def test_a_worker_cannot_give_up_a_document():
    bus = Exchange()
    bus.hello("collect", role="collect")
    bus.submit("j")
    bus.hello("a")
    with pytest.raises(ValueError):
        bus.say("a", Result("split:j", 1, "failed", {"reason": "so there"}))
    assert not bus.of("collect", Result)


def test_a_chunk_that_gets_done_forgets_the_crashes_before_it():
    bus = Exchange(backoff_seconds=0.1)
    bus.submit("j")
    for n in range(6):
        bus.hello(f"s{n}", role="split")
        bus.wait(0.3, (f"s{n}",))
        (task,) = bus.tasks(f"s{n}")
        bus.start(f"s{n}", task)
        if n % 2:
            bus.say(f"s{n}", SplitDone(task.key, task.lease, "j", (n, "fake"), finished=False))
        bus.lose(f"s{n}")
    assert bus.core.counters["verdicts"] == 0
