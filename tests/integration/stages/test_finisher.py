"""Jobs are ended in threads that outlive whatever one job, or the janitor, does."""

import sqlite3
import struct
import threading
import time
from pathlib import Path

import pytest

from shared.errors import OutsideFailed
from shared.messages import Closed, Publish
from shared.settings import Settings
from shared.states import JobState
from stages import finisher
from stages.finisher import Finisher
from stages.followups import Followups, merged_files
from stages.work import Blockade
from tests.fakes.live_bus import wait_for
from tests.fakes.recorded_line import RecordedLine
from tests.fakes.store_work import done, finished, open_store, started


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def made(store):
    settings, line = Settings(), RecordedLine()
    worker = line.worker(settings, "collect")
    ends = Finisher(settings, store, worker, Blockade(worker))
    ends.start()
    yield ends, line
    ends.stop(until=time.monotonic() + 10)


def complete(store, pages=1, **values):
    job = started(store, pages=pages, **values)
    store.settle([done(job, page) for page in range(1, pages + 1)])
    return store.job(job.id)


def test_a_job_that_is_deleted_while_it_fails_ends_no_thread(store, made, monkeypatch, caplog):
    lost, next_one = complete(store), complete(store)

    def merge(job, *rest):
        if job.id == lost.id:
            store.cancel_job(lost.id)
            store.delete_job(lost.id)
            raise RuntimeError("its pages are gone")
        return merged_files(job, *rest)

    monkeypatch.setattr(finisher, "merged_files", merge)
    ends, line = made
    for job in (lost, next_one):
        ends.add(job.id, 1)
    wait_for(lambda: store.job(next_one.id).state is JobState.DONE)
    wait_for(lambda: (next_one.id,) in [closed.jobs for closed in line.all(Closed)])
    assert {said.job for said in line.all(Publish)} == {next_one.id}
    assert "could not be ended" not in caplog.text  # it is no surprise


def test_what_nobody_foresaw_ends_no_thread_and_the_job_can_be_added_again(
    store, made, monkeypatch
):
    job = complete(store)
    failing = [True]
    publish = finisher.publish_job

    def publish_or_raise(*arguments):
        if failing.pop() if failing else False:
            raise RuntimeError("never seen before")
        publish(*arguments)

    monkeypatch.setattr(finisher, "publish_job", publish_or_raise)
    ends, line = made
    ends.add(job.id, 1)
    wait_for(lambda: job.id not in ends._known)
    other = complete(store)
    ends.add(other.id, 1)
    wait_for(lambda: (other.id,) in [closed.jobs for closed in line.all(Closed)])


def test_a_janitor_that_stumbles_comes_again(store, monkeypatch):
    swept = threading.Semaphore(0)

    def sweep(*, older_than_seconds):
        swept.release()
        raise ValueError(older_than_seconds)

    monkeypatch.setattr(store, "sweep", sweep)
    monkeypatch.setattr(finisher, "SWEEP_SECONDS", 0.01)
    worker = RecordedLine().worker(Settings(), "collect")
    ends = Finisher(Settings(), store, worker, Blockade(worker))
    ends.start()
    assert all(swept.acquire(timeout=5) for _ in range(3))
    ends.stop(until=time.monotonic() + 10)


def test_a_short_job_does_not_wait_for_a_long_one(store, made, monkeypatch):
    long, short = complete(store, pages=finisher.SHORT_PAGES + 1), complete(store)
    go_on = threading.Event()

    def merge(job, *rest):
        assert job.id != long.id or go_on.wait(10)
        return merged_files(job, *rest)

    monkeypatch.setattr(finisher, "merged_files", merge)
    ends, _ = made
    for job in (long, short):
        ends.add(job.id, job.counts.total)
    wait_for(lambda: store.job(short.id).state is JobState.DONE)
    assert store.job(long.id).state is JobState.RUNNING
    go_on.set()
    wait_for(lambda: store.job(long.id).state is JobState.DONE)


def test_wishes_are_heard_after_a_failure_that_nobody_foresaw(store, monkeypatch):
    job = finished(store)
    failing = [True]
    wishes = store.wishes

    def look():
        if failing:
            failing.clear()
            raise RuntimeError("never seen before")
        return wishes()

    monkeypatch.setattr(store, "wishes", look)
    monkeypatch.setattr("stages.followups.BLOCKED_SECONDS", 0.01)
    followups = Followups(Settings(), store, RecordedLine().worker(Settings(), "collect"))
    followups._threads = followups._threads[1:]  # the one that stumbles is the one that is asked
    followups.start()
    store.want(job.id, "merge")
    wait_for(lambda: store.wish(job.id, "merge") is None)
    followups.stop(until=time.monotonic() + 10)


def test_the_log_of_commits_is_brought_home_beside_the_commits(
    store, made, monkeypatch, caplog, tmp_path
):
    """Each second, also after it could not be done, of which is told once."""
    calm, calls = store.checkpoint, []

    def checkpoint():
        calls.append(1)
        if len(calls) <= 2:
            raise OutsideFailed("the disk is full.", code="disk_full")
        calm()

    monkeypatch.setattr(store, "checkpoint", checkpoint)
    complete(store)
    with sqlite3.connect(tmp_path / "quire.db") as database:
        wait_for(lambda: len(calls) > 2 and _brought_home(database))
    database.close()
    assert caplog.text.count("the log of commits grows: the disk is full.") == 1


def _brought_home(database: sqlite3.Connection) -> bool:
    """Nothing of the log is left to move; a look that does not move anything itself."""
    with (Path(database.execute("PRAGMA database_list").fetchone()[2] + "-shm")).open(
        "rb"
    ) as index:
        header = index.read(100)
    frames, moved = struct.unpack_from("=I", header, 16)[0], struct.unpack_from("=I", header, 96)[0]
    return frames > 0 and moved == frames
