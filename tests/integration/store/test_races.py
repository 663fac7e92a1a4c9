"""Deletes, uploads, sweeps, readers and writers at once; two stores are two processes."""

import os
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import Conflict
from shared.records import NewJob
from store import Store
from tests.fakes.store_work import done, finished, open_store, queued, result, started, upload


@pytest.fixture
def stores(tmp_path) -> Iterator[tuple[Store, Store]]:
    pair = open_store(tmp_path), open_store(tmp_path)
    yield pair
    for store in pair:
        store.close()


def together(*calls: Callable[[], object]) -> list[object]:
    """Run the calls at the same moment, each in a thread; their answers."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def test_a_delete_and_an_upload_of_the_same_bytes(stores):
    one, two = stores
    for _ in range(40):
        job = finished(one)
        _, again = together(lambda job=job: one.delete_job(job.id), lambda: queued(two))
        assert two.blobs.read(again.document.id) == b"%PDF a book"
        assert two.job(again.id).document.bytes == 11
        two.cancel_job(again.id)
        two.delete_job(again.id)
    assert list(one.blobs.temp.iterdir()) == []


def test_a_delete_between_the_steps_of_an_upload(stores):
    one, two = stores
    job = finished(one)
    sha256 = two.blobs.put(b"%PDF a book")
    one.delete_job(job.id)  # stored, no row
    assert not one.blobs.exists(sha256)
    two.add_document(sha256, "application/pdf", 11)
    assert two.blobs.exists(sha256)
    other = finished(one)
    one.delete_job(other.id)  # row, no job
    (again,) = two.add_jobs([NewJob(sha256, "again.pdf")])
    assert two.blobs.read(again.document.id) == b"%PDF a book"


def test_two_uploads_of_the_same_bytes_in_one_process_and_a_delete_between(stores):
    one, two = stores
    sha256 = upload(one)
    upload(one)
    (first,) = one.add_jobs([NewJob(sha256, "first.pdf")])
    two.cancel_job(first.id)
    two.delete_job(first.id)
    (second,) = one.add_jobs([NewJob(sha256, "second.pdf")])
    assert one.blobs.read(second.document.id) == b"%PDF a book"


def test_a_delete_and_a_settle_with_the_same_picture(stores):
    one, two = stores
    for _ in range(25):
        old, new = started(one, pages=1), started(two, pages=1)
        one.settle([done(old, 1, images=(one.blobs.put(b"logo"),))])
        one.finish_job(old.id, {})

        def settle(new=new):
            two.settle([done(new, 1, images=(two.blobs.put(b"logo"),))])

        together(lambda old=old: one.delete_job(old.id), settle)
        (sha256,) = two.page_result(new.id, 1).images
        assert two.blobs.read(sha256) == b"logo"
        two.finish_job(new.id, {})
        two.delete_job(new.id)


def test_a_cancel_and_a_settle_agree_on_every_page(stores):
    one, two = stores
    for _ in range(25):
        job = started(one, pages=3)

        def cancel(job=job):
            try:
                one.cancel_job(job.id)
            except Conflict:
                return

        def settle(job=job):
            for page in (1, 2, 3):
                two.settle([done(job, page)])

        together(cancel, settle)
        counts = one.job(job.id).counts
        states = [task.state.value for task in one.pages(job.id)]
        assert counts.pending == 0
        assert (counts.done, counts.cancelled) == (states.count("done"), states.count("cancelled"))
        assert len(list(one.results(job.id))) == counts.done


def test_two_collectors_settle_the_same_pages_once(stores):
    one, two = stores
    job = started(one, pages=60)

    def settle(store: Store) -> list[int]:
        return [
            task.page
            for page in range(1, 61)
            for change in store.settle([done(job, page)])
            for task in change.settled
        ]

    mine, others = together(lambda: settle(one), lambda: settle(two))
    assert sorted(mine + others) == list(range(1, 61))
    assert one.job(job.id).revision == 62


def test_two_processes_finish_one_job(stores):
    one, two = stores
    for number in range(15):
        job = started(one, pages=1)
        one.settle([done(job, 1)])

        def finish(store: Store, job=job, number=number):
            return store.finish_job(job.id, {"md": store.blobs.put(b"%d" % number)})

        first, second = together(lambda: finish(one), lambda: finish(two))
        assert first == second
        assert one.blobs.read(first.artifacts["md"]) == b"%d" % number


def test_results_stream_while_pages_are_committed(stores):
    one, two = stores
    job = started(one, pages=400)
    one.settle([done(job, page) for page in range(1, 401, 2)])
    stop = threading.Event()

    def write():
        for page in range(2, 401, 2):
            two.settle([done(job, page)])
        while not stop.is_set():  # other work goes on, too
            finished(two, ["other words"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            numbers = [answer.page for answer in one.results(job.id)]
            assert numbers == sorted(set(numbers))
            assert set(range(1, 401, 2)) <= set(numbers)
    finally:
        stop.set()
        writer.join()
    assert [answer.page for answer in one.results(job.id)] == list(range(1, 401))


def test_a_slow_reader_does_not_hold_back_the_log(stores, tmp_path):
    one, two = stores
    job = started(one, pages=200)
    one.settle([done(job, page) for page in range(1, 201)])
    reader = one.results(job.id)
    next(reader)  # and now it waits
    busy = started(two, pages=300, data=b"%PDF busy")
    for first in range(1, 301, 20):
        raw = os.urandom(100_000)
        two.settle([done(busy, page, raw=raw) for page in range(first, first + 20)])
        two.checkpoint()  # as collect does beside its commits
    assert (tmp_path / "quire.db-wal").stat().st_size < 20_000_000  # 30 MB were written
    assert len(list(reader)) == 199


def test_reading_needs_no_more_memory_for_more_pages(stores):
    one, _ = stores
    job = started(one, pages=240)
    for first in range(1, 241, 20):
        raw = os.urandom(100_000)
        one.settle([done(job, page, raw=raw) for page in range(first, first + 20)])
    tracemalloc.start()
    try:
        assert sum(len(answer.raw) for answer in one.results(job.id)) == 24_000_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


def test_a_sweep_beside_all_other_work(stores):
    one, two = stores
    ends = time.monotonic() + 2

    def work() -> int:
        jobs = 0
        while time.monotonic() < ends:
            job = started(one, pages=1, data=b"%PDF busy")
            crop = one.blobs.put(b"crop")
            one.settle([done(job, 1, images=(crop,))])
            one.finish_job(job.id, {"md": one.blobs.put(b"md")})
            assert one.blobs.read(crop) == b"crop"
            assert one.blobs.read(one.job(job.id).artifacts["md"]) == b"md"
            one.delete_job(job.id)
            jobs += 1
        return jobs

    def sweep() -> list[str]:
        failed: list[str] = []
        while time.monotonic() < ends:
            failed += two.sweep(older_than_seconds=60).failed_jobs
        return failed

    jobs, failed = together(work, sweep)
    assert jobs > 10
    assert failed == []


def test_many_threads_use_one_store(stores):
    one, _ = stores

    def work(number: int) -> str:
        job = finished(one, [f"words {number}", "more"], data=b"%d" % number)
        assert one.page_result(job.id, 1) == result(job, 1, f"words {number}")
        return job.id

    with ThreadPoolExecutor(12) as pool:
        ids = list(pool.map(work, range(60)))
    assert {job.id for job in one.jobs(limit=100)[0]} == set(ids)
    assert len(one.search("words", limit=100)) == 60
