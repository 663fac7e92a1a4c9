"""Turns between jobs and lanes for any queue, and that a dispatch costs the same at any depth."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from exchange import Exchange
from hypothesis import given
from hypothesis import strategies as st

from bus.queues import FLOOR_EVERY, LANES, Item, LaneQueue

ARRIVALS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(LANES), st.integers(1, 12)), max_size=30
)


def queue_of(arrivals):
    queue, lanes = LaneQueue(), {}
    for number, first_lane, pages in arrivals:
        job = f"j{number}"
        lane = lanes.setdefault(job, first_lane)
        for page in range(pages):
            queue.push(Item(f"{job}:{page}:e", job, "s", lane, {}))
    return queue


@given(ARRIVALS)
def test_a_job_waits_for_one_page_of_each_other_job_of_its_lane_at_most(arrivals):
    queue = queue_of(arrivals)
    since: Counter[str] = Counter()
    waiting: dict[str, str] = {}
    for number, lane, _ in arrivals:
        waiting.setdefault(f"j{number}", lane)
    jobs_of = Counter(waiting.values())
    while (item := queue.pop()) is not None:
        since[item.job] = 0
        for job, lane in waiting.items():
            if job != item.job and lane == item.lane:
                since[job] += 1
                still = any(job in jobs for jobs in queue._strict)
                assert not still or since[job] < jobs_of[lane]


@given(ARRIVALS)
def test_lanes_are_strict_but_for_the_floor(arrivals):
    queue = queue_of(arrivals)
    out = []
    while queue.pages:
        waits = [bool(jobs) for jobs in queue._strict]
        item = queue.pop()
        out.append((LANES.index(item.lane), waits))
    for start in range(len(out) - FLOOR_EVERY + 1):
        window = out[start : start + FLOOR_EVERY]
        lower_waited = all(waits[1] or waits[2] for _, waits in window)
        upper_waited = all(waits[0] for _, waits in window)
        if lower_waited:
            assert any(lane > 0 for lane, _ in window)
        if lower_waited and upper_waited:
            assert sum(lane > 0 for lane, _ in window) == 1


def operations(action) -> int:
    """Bytecodes that this runs, in all functions: time without a clock."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def cost_of_a_page(jobs: int, pages: int, workers: int) -> int:
    """Of an answer, its commit, and the next task, in bytecodes."""
    bus = Exchange(window_pages=10_000)
    bus.hello("collect", role="collect")
    for number in range(workers):
        bus.hello(f"w{number:03}", credit=2)
    for number in range(jobs):
        bus.pages(f"j{number}", pages)
    tasks = bus.tasks("w000")

    def settle():
        bus.answer("w000", tasks[0])
        bus.commit(tasks[0].key)

    settle_cost = operations(settle)
    assert bus.tasks("w000")
    return settle_cost


@pytest.mark.parametrize(("jobs", "pages", "workers"), [(2, 1500, 2), (300, 5, 2), (40, 40, 100)])
def test_a_dispatch_costs_the_same_at_any_depth(jobs, pages, workers):
    small = cost_of_a_page(2, 5, 2)
    assert cost_of_a_page(jobs, pages, workers) <= small * 1.2


def test_a_page_behind_a_thousand_begins_within_the_pages_in_hand():
    bus = Exchange(window_pages=10_000)
    bus.hello("collect", role="collect")
    for name in ("w1", "w2"):
        bus.hello(name, credit=2)
    bus.pages("book", 1000)
    out = [(name, task) for name in ("w1", "w2") for task in bus.tasks(name)]
    (page,) = bus.pages("upload", 1)  # of the same lane as the book
    before = 0
    while True:
        name, task = out.pop(0)
        bus.answer(name, task)
        bus.commit(task.key)
        before += 1
        fresh = bus.tasks(name)
        if page in [task.key for task in fresh]:
            break
        out += [(name, task) for task in fresh]
    assert before <= 2
