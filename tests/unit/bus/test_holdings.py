"""What waits at a process, when the same is said more than once."""

import threading

import pytest

from bus.holdings import Delivery, Holdings
from shared.messages import Result


def deliver(holds, key, lease, text):
    holds.deliver(Delivery(Result(key, lease, "done", {"text": text}), ()))


def test_an_answer_that_is_repeated_while_a_commit_takes_long_waits_once():
    holds = Holdings()
    for text in ("first", "again", "and again"):
        deliver(holds, "j:1:fake", 7, text)
        deliver(holds, "j:2:fake", 8, text)
    deliver(holds, "j:1:fake", 9, "of another attempt")
    taken = holds.take(10, timeout_seconds=0)
    assert [(d.message.key, d.message.lease) for d in taken] == [
        ("j:1:fake", 7), ("j:2:fake", 8), ("j:1:fake", 9),
    ]  # fmt: skip
    assert taken[0].message.header == {"text": "and again"}
    assert holds.take(10, timeout_seconds=0) == []


@pytest.mark.parametrize(("size", "most"), [(100, 512), (100_000, 128)])
def test_the_working_thread_waits_with_many_small_answers_or_fewer_large_ones(size, most):
    holds = Holdings()
    kept = threading.Semaphore(0)

    def work():
        for number in range(most + 2):
            holds.finish(f"j:{number}:fake", number, [bytes(size)])
            kept.release()

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(most):
        assert kept.acquire(timeout=5)
    assert not kept.acquire(timeout=0.05)
    holds.commit(("j:0:fake",))
    assert kept.acquire(timeout=5)
    assert not kept.acquire(timeout=0.05)
    holds.commit(("j:1:fake", "j:1:fake", "unknown:1:fake"))
    thread.join(5)
    assert not thread.is_alive()
