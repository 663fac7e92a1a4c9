"""Processes killed between two steps, and what the next process and the janitor make of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Store
from tests.fakes.store_work import blobs_in_rows, blobs_on_disk, done, open_store, row_counts

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def killed(tmp_path) -> Iterator:
    """Runs a step of the child until it is dead, opens its store: (store, what it printed)."""
    opened: list[Store] = []

    def run(step: str) -> tuple[Store, str]:
        command = [sys.executable, "-m", "tests.fakes.store_child", step, tmp_path]
        child = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)
        assert child.returncode == -9
        opened.append(open_store(tmp_path))
        return opened[0], child.stdout.strip()

    yield run
    for store in opened:
        store.close()


def assert_nothing_is_left_over(data: Path) -> None:
    assert blobs_on_disk(data) == blobs_in_rows(data)
    assert list((data / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "step", ["upload_half_written", "blob_without_row", "document_without_job"]
)
def test_an_upload_that_was_never_submitted_goes(killed, tmp_path, step):
    store, _ = killed(step)
    before = sorted((tmp_path / "tmp").iterdir()), blobs_on_disk(tmp_path)
    report = store.sweep(older_than_seconds=3600)
    assert (sorted((tmp_path / "tmp").iterdir()), blobs_on_disk(tmp_path)) == before
    assert (report.temp_files, report.orphan_blobs, report.unused_documents) == (0, 0, 0)
    report = store.sweep(older_than_seconds=0)
    assert report.temp_files == 1
    assert report.unused_documents == (step == "document_without_job")
    assert blobs_on_disk(tmp_path) == set()
    assert set(row_counts(tmp_path).values()) == {0}
    assert_nothing_is_left_over(tmp_path)


def test_previews_without_rows_go_and_the_job_stays(killed, tmp_path):
    store, job = killed("previews_without_row")
    assert len(blobs_on_disk(tmp_path)) == 2
    report = store.sweep(older_than_seconds=0)
    assert report.orphan_blobs == 1
    assert (report.freed_bytes, report.failed_jobs) == (len(b"preview"), ())
    assert store.job(job).state == "queued"
    assert_nothing_is_left_over(tmp_path)


def test_a_settle_that_was_killed_has_not_happened(killed, tmp_path):
    store, job = killed("settle_in_transaction")
    assert [task.page for task in store.pending(job, limit=9)] == [1, 2]
    assert list(store.results(job)) == []
    assert store.search("words") == []
    (change,) = store.settle([done(job, 1), done(job, 2)])
    assert change.complete
    store.finish_job(job, {})
    store.sweep(older_than_seconds=0)
    assert_nothing_is_left_over(tmp_path)


@pytest.mark.parametrize("step", ["settled_not_finished", "artifacts_not_named"])
def test_settled_jobs_are_found_and_finished(killed, tmp_path, step):
    store, job = killed(step)
    assert store.complete_jobs() == [job]
    assert [answer.page for answer in store.results(job)] == [1, 2]
    store.sweep(older_than_seconds=0)  # may come before the merge
    artifact = store.blobs.put(b"merged by the dead process")  # the merge gives the same bytes
    assert store.finish_job(job, {"md": artifact}).state == "done"
    assert store.complete_jobs() == []
    store.sweep(older_than_seconds=0)
    assert store.blobs.read(artifact) == b"merged by the dead process"
    assert store.blobs.read(store.page_result(job, 1).images[0]) == b"crop"
    assert_nothing_is_left_over(tmp_path)


@pytest.mark.parametrize("step", ["delete_hidden", "delete_without_results", "delete_without_rows"])
def test_a_delete_goes_on_where_it_was_killed(killed, tmp_path, step):
    store, kept = killed(step)
    assert [job.id for job in store.jobs()[0]] == [kept]
    assert [hit.job for hit in store.search("words")] == [kept]
    assert store.sweep(older_than_seconds=3600).purged_jobs == 0
    report = store.sweep(older_than_seconds=0)
    assert report.purged_jobs == (step != "delete_without_rows")
    assert report.failed_jobs == ()
    counts = row_counts(tmp_path)
    for table in ("page_images", "result_images", "attempts"):
        assert counts.pop(table) == 0
    assert set(counts.values()) == {1}
    assert len(blobs_on_disk(tmp_path)) == 2
    assert_nothing_is_left_over(tmp_path)
