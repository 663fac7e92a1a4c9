"""The janitor: lost blobs, strangers' files, space given back."""

import os
import sqlite3
from collections.abc import Iterator

import pytest

from store import Store, dialects, janitor
from tests.fakes.store_work import (
    blobs_on_disk,
    done,
    finished,
    open_store,
    queued,
    started,
    statements_of,
    upload,
)


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_a_sweep_of_a_sound_directory_holds_up_writers_only_to_tidy(store):
    finished(store, ["one", "two"])
    with statements_of(store) as ran:
        store.sweep(older_than_seconds=0)
    assert ran.count("BEGIN IMMEDIATE") == 1


def test_nothing_is_wrong_with_a_sound_directory(store, tmp_path):
    job = finished(store, ["one", "two"])
    running, waiting = started(store), queued(store)
    before = blobs_on_disk(tmp_path)
    report = store.sweep(older_than_seconds=0)
    assert report == type(report)(temp_files=report.temp_files)
    assert blobs_on_disk(tmp_path) == before
    assert [store.job(item.id) for item in (job, running, waiting)] == [job, running, waiting]


@pytest.mark.parametrize("state", ["queued", "running", "done"])
def test_a_job_whose_file_is_lost_fails_with_a_sentence(store, state):
    job = {"queued": queued, "running": started, "done": finished}[state](store)
    lost = job.artifacts["md"] if state == "done" else job.document.id
    for hold in store.blobs.temp.iterdir():
        hold.unlink()
    store.blobs.delete(lost)
    assert store.sweep(older_than_seconds=3600).failed_jobs == ()
    assert store.sweep(older_than_seconds=0).failed_jobs == (job.id,)
    after = store.job(job.id)
    assert (after.state, after.failure.type) == ("failed", "blob_missing")
    assert lost[:12] in after.failure.message
    assert after.counts.pending == 0
    assert store.sweep(older_than_seconds=0).failed_jobs == ()


def test_a_finished_job_outlives_its_document(store):
    job = finished(store)
    store.blobs.delete(job.document.id)
    assert store.sweep(older_than_seconds=0).failed_jobs == ()
    assert store.job(job.id) == job


def test_a_blob_cut_to_nothing_by_a_power_loss_counts_as_lost_and_can_be_stored_again(store):
    job = queued(store)
    os.truncate(store.blobs.path(job.document.id), 0)
    for hold in store.blobs.temp.iterdir():
        hold.unlink()
    assert not store.blobs.exists(job.document.id)
    upload(store)
    assert store.blobs.read(job.document.id) == b"%PDF a book"
    assert store.sweep(older_than_seconds=0).failed_jobs == ()


def test_lost_pictures_are_forgotten_behind_many_others(store, monkeypatch):
    monkeypatch.setattr(janitor, "_ROWS_PER_READ", 5)
    job = started(store, pages=1)
    previews = {page: store.blobs.put(b"preview %d" % page) for page in range(1, 31)}
    store.add_page_images(job.document.id, previews)
    crops = [store.blobs.put(b"crop %d" % n) for n in range(12)]
    store.settle([done(job, 1, images=tuple(crops))])
    other = queued(store, data=b"%PDF other")
    preview = store.blobs.put(b"other preview")
    store.add_page_images(other.document.id, {1: preview})
    for sha256 in (*previews.values(), *crops, preview):
        store.blobs.delete(sha256)
    report = store.sweep(older_than_seconds=0)
    assert (report.lost_previews, report.lost_crops) == (31, 12)
    assert store.page_image(job.document.id, 30) is None
    report = store.sweep(older_than_seconds=0)
    assert (report.lost_previews, report.lost_crops) == (0, 0)


def test_files_that_are_not_ours_do_not_stop_it_and_stay(store, tmp_path):
    stranger = tmp_path / "blobs" / ".nfs000123"
    stranger.write_bytes(b"x")
    inside = tmp_path / "blobs" / "ab" / "notes.txt"
    inside.parent.mkdir()
    inside.write_bytes(b"y")
    store.blobs.put(b"orphan")
    for hold in store.blobs.temp.iterdir():
        hold.unlink()
    assert store.sweep(older_than_seconds=0).orphan_blobs == 1
    assert blobs_on_disk(tmp_path) == {".nfs000123", "notes.txt"}


def test_a_young_hold_keeps_an_old_blob(store):
    sha256 = store.blobs.put(b"old and in use again")
    long_ago = 1_000_000_000
    os.utime(store.blobs.path(sha256), (long_ago, long_ago))
    store.blobs.put(b"old and in use again")
    assert store.sweep(older_than_seconds=60).orphan_blobs == 0
    assert store.blobs.exists(sha256)


def test_deleted_jobs_give_their_space_back(store, tmp_path, monkeypatch):
    monkeypatch.setattr(dialects, "_VACUUM_PAGES", 50)
    job = started(store, pages=40)
    store.settle([done(job, page, raw=os.urandom(40_000)) for page in range(1, 41)])
    store.finish_job(job.id, {})
    store.delete_job(job.id)
    assert _free_pages(tmp_path) > 300
    store.sweep(older_than_seconds=0)
    assert _free_pages(tmp_path) == 0


def _free_pages(data) -> int:
    connection = sqlite3.connect(data / "quire.db")
    try:
        return connection.execute("PRAGMA freelist_count").fetchone()[0]
    finally:
        connection.close()
