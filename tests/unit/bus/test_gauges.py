"""How far collect is behind, as the broker sees it."""

from exchange import Exchange


def test_answers_wait_until_they_are_committed():
    bus = Exchange()
    bus.hello("collect", role="collect", credit=10)
    bus.hello("w", credit=2)
    first, second = bus.pages("j", 2)
    tasks = bus.tasks("w")
    assert bus.core.gauges(bus.now)["answers_waiting"] == 0
    for task in tasks:
        bus.answer("w", task)
    bus.core.gauges(bus.now)
    bus.wait(2.5, alive=("w", "collect", "sender"))
    assert bus.core.gauges(bus.now) == {
        "jobs_open": 1,
        "answers_waiting": 2,
        "answers_waiting_seconds": 2.5,
    }
    bus.commit(first)
    gauges = bus.core.gauges(bus.now)
    assert (gauges["answers_waiting"], gauges["answers_waiting_seconds"]) == (1, 0.0)
    bus.commit(second)
    bus.wait(2.5, alive=("w", "collect", "sender"))
    assert bus.core.gauges(bus.now)["answers_waiting_seconds"] == 0.0
