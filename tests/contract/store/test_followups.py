"""Wishes, taken pages and agreements: rows that outlive a job's end."""

import pytest

from shared.compare import PageAgreement, measure
from shared.errors import Conflict, NotFound
from shared.followups import MERGE, Choice, compare_with
from shared.records import Failure, NewJob
from tests.fakes.store_work import done, failed, finished, queued, started


def two_engines(store, texts=("one", "two")):
    job = started(store, pages=len(texts), engines=("a", "b"))
    for page, text in enumerate(texts, 1):
        store.settle([done(job, page, f"{text} by {name}", name) for name in ("a", "b")])
    return store.finish_job(job.id, {"md": store.blobs.put(b"first merge")})


def replay(store, parent, text="again"):
    new = NewJob(parent.document.id, "again.pdf", engine="c", parent=parent.id)
    (job,) = store.add_jobs([new])
    store.start_job(job.id, 1, [(1, "c")])
    store.settle([done(job, 1, text, "c")])
    return store.finish_job(job.id, {"md": store.blobs.put(text.encode())})


def test_a_wish_is_a_row_until_its_file_is_there(store):
    job = finished(store)
    wish = store.want(job.id, "docx")
    assert store.want(job.id, "docx") == wish
    assert store.wishes() == [wish]
    changed = store.fulfil(wish, {"docx": store.blobs.put(b"a document")})
    assert set(changed.artifacts) == {"md", "docx"}
    assert changed.revision == job.revision + 1
    assert (store.wishes(), store.wish(job.id, "docx")) == ([], None)


def test_nothing_is_wanted_of_a_job_without_a_result(store):
    with pytest.raises(Conflict, match="pages are settled"):
        store.want(queued(store).id, "docx")
    with pytest.raises(NotFound):
        store.want("nope", "docx")


def test_a_failed_wish_says_why_and_is_not_tried_at_once(store):
    job = finished(store)
    store.fail_wish(store.want(job.id, "pdf"), Failure("damaged", "It is damaged."))
    assert store.wishes() == []
    assert store.want(job.id, "pdf").failure == Failure("damaged", "It is damaged.")


def test_a_page_that_was_taken_is_the_page_and_merging_is_wanted(store):
    job = two_engines(store)
    assert store.page_result(job.id, 1).engine == "a"
    taken = store.take_page(job.id, 1, "b")
    assert taken.revision == job.revision + 1
    assert store.choices(job.id) == {1: Choice(1, job.id, "b")}
    assert store.page_result(job.id, 1).text == "one by b"
    assert store.page_result(job.id, 1, "a").text == "one by a"
    assert store.page_result(job.id, 2).engine == "a"
    assert [wish.kind for wish in store.wishes()] == [MERGE]
    store.take_page(job.id, 1, None)
    assert store.choices(job.id) == {}
    assert store.page_result(job.id, 1).engine == "a"


def test_exports_of_before_are_dropped_also_those_under_way(store):
    job = two_engines(store)
    old = store.blobs.put(b"a document")
    store.fulfil(store.want(job.id, "docx"), {"docx": old})
    under_way = store.want(job.id, "pdf")
    store.take_page(job.id, 1, "b")
    assert set(store.job(job.id).artifacts) == {"md"}
    assert not store.blobs.exists(old)
    late = store.blobs.put(b"made of the old choice")
    assert store.fulfil(under_way, {"pdf": late}) is None
    assert not store.blobs.exists(late)
    assert {wish.kind for wish in store.wishes()} == {MERGE, "pdf"}


def test_a_new_merge_takes_the_place_of_the_old_files(store):
    job = two_engines(store)
    store.take_page(job.id, 1, "b")
    (wish,) = store.wishes()
    changed = store.fulfil(wish, {"md": store.blobs.put(b"second merge")})
    assert store.blobs.read(changed.artifacts["md"]) == b"second merge"
    assert not store.blobs.exists(job.artifacts["md"])


def test_a_page_of_another_job_of_the_document_can_be_taken_with_its_figures(store):
    job = two_engines(store)
    crop = store.blobs.put(b"a crop")
    new = NewJob(job.document.id, "again.pdf", engine="c", parent=job.id)
    (other,) = store.add_jobs([new])
    store.start_job(other.id, 1, [(1, "c")])
    store.settle([done(other, 1, "with a crop", "c", images=(crop,))])
    store.finish_job(other.id, {"md": store.blobs.put(b"x")})
    assert not store.has_image(job.id, crop)
    store.take_page(job.id, 1, "c", other.id)
    assert store.page_result(job.id, 1).text == "with a crop"
    assert store.taken_result(job.id, 1).job == other.id
    assert store.has_image(job.id, crop)
    assert store.images(job.id) == [crop]
    with pytest.raises(Conflict, match="shows a page") as caught:
        store.delete_job(other.id)
    assert caught.value.code == "job_in_use"
    store.take_page(job.id, 1, None)
    store.delete_job(other.id)


def test_only_pages_of_the_document_that_were_read_can_be_taken(store):
    job = two_engines(store)
    stranger = finished(store, data=b"%PDF another book")
    half = started(store, pages=1, engines=("a", "b"))
    store.settle([done(half, 1, "x", "a"), failed(half, 1, engine="b")])
    store.finish_job(half.id, {"md": store.blobs.put(b"half")})
    for refused, engine, source in (
        (Conflict, "pymupdf", stranger.id),
        (NotFound, "nobody", None),
        (NotFound, "a", "nope"),
    ):
        with pytest.raises(refused):
            store.take_page(job.id, 1, engine, source)
    with pytest.raises(NotFound):
        store.take_page(job.id, 99, "a")
    with pytest.raises(Conflict, match="is failed"):
        store.take_page(half.id, 1, "b")
    assert store.choices(job.id) == {}


def test_agreements_come_worst_first_in_parts_and_are_replaced(store):
    job = two_engines(store)
    measured = [
        PageAgreement(page, "a", "b", measure("abcd", "abcd"[:length]))
        for page, length in ((1, 4), (2, 1), (3, 2))
    ]
    store.put_agreements(job.id, job.id, measured)
    worst, count = store.agreements(job.id, job.id, limit=2)
    assert ([item.page for item in worst], count) == ([2, 3], 3)
    assert worst[0].measured.agreement == 0.25
    assert [i.page for i in store.agreements(job.id, job.id, limit=2, offset=2)[0]] == [1]
    store.put_agreements(job.id, job.id, measured[:1])
    assert store.agreements(job.id, job.id, limit=9)[1] == 1


def test_all_of_it_goes_with_the_job(store):
    job = two_engines(store)
    other = replay(store, job)
    store.take_page(job.id, 1, "b")
    store.want(job.id, compare_with(other.id))
    store.put_agreements(job.id, other.id, [PageAgreement(1, "a", "c", measure("a", "b"))])
    store.delete_job(other.id)
    assert store.agreements(job.id, other.id, limit=9) == ([], 0)
    store.delete_job(job.id)
    assert store.wishes() == []
    with pytest.raises(NotFound):
        store.agreements(job.id, job.id, limit=9)


def test_a_wish_to_compare_goes_with_the_other_job(store):
    job = two_engines(store)
    other = replay(store, job)
    store.want(job.id, compare_with(other.id))
    kept = store.want(job.id, compare_with(job.id))
    store.delete_job(other.id)
    assert store.wishes() == [kept]


def test_jobs_without_a_page_in_common_are_compared_once(store):
    job = two_engines(store)
    other = replay(store, job)
    kind = compare_with(other.id)
    wish = store.want(job.id, kind)
    store.put_agreements(job.id, other.id, [])
    store.fulfil(wish, {})
    store.want(job.id, kind)
    assert (store.wishes(), store.wish(job.id, kind)) == ([], None)
    store.want(other.id, compare_with(job.id))  # the other way round is another comparison
    assert [wish.job for wish in store.wishes()] == [other.id]
    store.delete_job(other.id)
    assert store.want(job.id, kind) in store.wishes()


@pytest.mark.parametrize("pages", [0, 1])
def test_a_comparison_with_a_job_that_still_reads_is_not_the_last(store, pages):
    job = finished(store)
    other = started(store, pages=pages) if pages else queued(store)
    store.put_agreements(job.id, other.id, [])
    assert store.want(job.id, compare_with(other.id)) in store.wishes()
