import re
import threading
import time

import pytest

from shared.errors import Refused
from store.ids import JobIds, cursor_after, job_before_cursor


def test_ids_rise_also_within_a_millisecond():
    ids = JobIds()
    made = [ids.next() for _ in range(3000)]
    assert made == sorted(set(made))
    assert all(re.fullmatch("[0-9a-hjkmnp-tv-z]{26}", job_id) for job_id in made)


def test_ids_of_threads_differ():
    ids = JobIds()
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend(ids.next() for _ in range(500)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 3000


def test_ids_rise_when_the_clock_goes_back(monkeypatch):
    ids = JobIds()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    first = ids.next()
    monkeypatch.setattr(time, "time_ns", lambda: now - 10**12)
    assert ids.next() > first


def test_ids_of_two_processes_sort_by_time(monkeypatch):
    one, two = JobIds(), JobIds()
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    first = one.next()
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_001_000_000)
    assert first < two.next()


def test_cursors_come_back():
    job_id = JobIds().next()
    assert job_before_cursor(cursor_after(job_id)) == job_id
    for cursor in ("", "abc", cursor_after(job_id)[:-1], cursor_after(job_id) + "A", "é", "\0"):
        with pytest.raises(Refused):
            job_before_cursor(cursor)
