"""Deleting a job removes what only that job used."""

import threading

import pytest

from shared.errors import Conflict, NotFound
from store import deletion
from tests.fakes.store_work import done, finished, queued, started


def test_an_open_job_is_not_deleted(store):
    for job in (queued(store), started(store)):
        with pytest.raises(Conflict) as caught:
            store.delete_job(job.id)
        assert caught.value.code == "job_is_open"
        assert store.job(job.id).state is job.state


def test_everything_of_the_job_goes(store):
    job = started(store, pages=2)
    crop, preview = store.blobs.put(b"crop"), store.blobs.put(b"preview")
    store.add_page_images(job.document.id, {1: preview})
    store.settle([done(job, 1, "unique words", images=(crop,)), done(job, 2)])
    job = store.finish_job(job.id, {"md": store.blobs.put(b"md")})
    store.delete_job(job.id)
    for ask in (store.job, store.pages, store.results, store.delete_job):
        with pytest.raises(NotFound):
            ask(job.id)
    assert store.search("unique") == []
    assert store.page_image(job.document.id, 1) is None
    assert [path for path in store.blobs.root.rglob("*") if path.is_file()] == []
    assert list(store.blobs.temp.iterdir()) == []


def test_what_others_use_stays(store):
    one, two = (started(store, pages=1, name=name) for name in ("one", "two"))
    other = started(store, pages=1, data=b"another document")
    preview = store.blobs.put(b"preview")
    store.add_page_images(one.document.id, {1: preview})
    for job in (one, two, other):
        crop = store.blobs.put(b"the same logo")
        store.settle([done(job, 1, f"words of {job.document.name}", images=(crop,))])
        store.finish_job(job.id, {"md": store.blobs.put(b"the same file")})
    store.delete_job(one.id)
    assert store.page_image(two.document.id, 1) == preview
    assert store.blobs.read(two.document.id) == b"%PDF a book"
    store.delete_job(two.id)
    assert store.page_image(two.document.id, 1) is None
    assert not store.blobs.exists(two.document.id)
    assert not store.blobs.exists(preview)
    left = store.job(other.id)
    assert store.blobs.read(left.artifacts["md"]) == b"the same file"
    assert store.blobs.read(store.page_result(other.id, 1).images[0]) == b"the same logo"
    assert [hit.job for hit in store.search("words")] == [other.id]


def test_a_long_job_goes_in_batches(store, monkeypatch):
    monkeypatch.setattr(deletion, "_RESULTS_PER_WRITE", 3)
    monkeypatch.setattr(deletion, "_PAGES_PER_WRITE", 4)
    job = finished(store, [f"page {n}" for n in range(1, 12)])
    kept = finished(store, ["page of another"])
    store.delete_job(job.id)
    assert [hit.job for hit in store.search("page")] == [kept.id]


def test_two_deletes_at_once(store):
    jobs = [finished(store, ["words"], data=b"%d" % n) for n in range(8)]
    errors: list[BaseException] = []

    def delete():
        for job in jobs:
            try:
                store.delete_job(job.id)
            except NotFound:
                pass
            except Exception as error:  # noqa: BLE001 - shown below
                errors.append(error)

    threads = [threading.Thread(target=delete) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.jobs() == ([], None)
    assert [path for path in store.blobs.root.rglob("*") if path.is_file()] == []


def test_discarded_uploads_go_unless_they_are_used(store):
    used = finished(store, data=b"used").document.id
    fresh = store.blobs.put(b"fresh")
    store.blobs.put(b"used")
    store.add_document(fresh, "application/pdf", 5)
    store.discard([fresh, used])
    assert not store.blobs.exists(fresh)
    assert store.blobs.read(used) == b"used"
    assert list(store.blobs.temp.iterdir()) == []
