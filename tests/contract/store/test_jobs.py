"""Jobs: added, listed, filtered, cancelled, failed, finished, replayed."""

import hashlib
import itertools
from dataclasses import replace

import pytest

from shared.errors import Conflict, NotFound, Refused
from shared.records import Failure, NewJob
from shared.states import JobState, Lane, Origin, PageState
from tests.fakes.store_work import ENGINE, done, failed, finished, queued, started, upload


def test_a_new_job_has_what_was_asked_for(store):
    job = queued(
        store,
        name="Ein Büchlein.pdf",
        options={"b": 1, "a": [True, None]},
        pages="1-3,7",
        lane=Lane.BATCH,
        reuse=True,
    )
    assert store.job(job.id) == job
    assert len(job.id) == 26
    assert job.id == job.id.lower()
    assert (job.state, job.engine, job.pages) == (JobState.QUEUED, ENGINE, "1-3,7")
    assert (job.lane, job.origin, job.reuse) == (Lane.BATCH, Origin.RECOGNIZE, True)
    assert job.options == {"b": 1, "a": [True, None]}
    assert job.document.name == "Ein Büchlein.pdf"
    assert (job.document.bytes, job.document.pages) == (11, None)
    assert (job.counts.total, job.revision, job.failure) == (0, 1, None)
    assert job.to_json()["state"] == "queued"


def test_jobs_of_one_request_keep_their_order_or_none_is_added(store):
    document = upload(store)
    added = store.add_jobs([NewJob(document, f"{n}.pdf") for n in range(30)])
    assert [job.document.name for job in added] == [f"{n}.pdf" for n in range(30)]
    with pytest.raises(NotFound) as caught:
        store.add_jobs([NewJob(document, "good.pdf"), NewJob("0" * 64, "bad.pdf")])
    assert caught.value.code == "document_not_found"
    with pytest.raises(NotFound) as caught:
        store.add_jobs([NewJob(document, "good.pdf", parent="0" * 26)])
    assert caught.value.code == "job_not_found"
    assert store.open_work() == (30, 0)
    assert store.add_jobs([]) == []


def test_an_unknown_job_is_not_found(store):
    ids = ["", "x" * 26, "' OR 1=1 --", "\0", "\ud800", "文" * 300]
    asks = (
        store.job,
        store.runs,
        store.work_before,
        store.pages,
        store.results,
        store.cancel_job,
        store.delete_job,
        lambda job: store.page_result(job, 1),
        lambda job: store.start_job(job, 1, [(1, ENGINE)]),
        lambda job: store.fail_job(job, Failure("x", "x")),
        lambda job: store.finish_job(job, {}),
    )
    for job_id, ask in itertools.product(ids, asks):
        with pytest.raises(NotFound) as caught:
            ask(job_id)
        assert caught.value.code == "job_not_found"


def test_names_may_be_anything(store):
    for name in ("", "../../etc/passwd", "a\0b", "\ud83d broken", "报告 😀.pdf", "%_\\'\""):
        job = queued(store, name=name)
        assert store.job(job.id).document.name == name.replace("\0", "").replace("\ud83d", "?")
    assert [job.document.name for job in store.jobs(q="%_\\")[0]] == ["%_\\'\""]


def test_list_pages_are_stable_while_jobs_arrive_and_go(store):
    ids = [queued(store, name=f"{n}.pdf").id for n in range(10)]
    seen, cursor = [], None
    for _ in range(20):
        page, cursor = store.jobs(limit=3, cursor=cursor)
        seen += [job.id for job in page]
        if cursor is None:
            break
        queued(store, name="new.pdf")  # newer than all: no page behind the cursor may shift
        if len(seen) == 3:  # the job that the cursor was made from goes
            store.cancel_job(seen[-1])
            store.delete_job(seen[-1])
    assert seen == ids[::-1]


def test_the_last_full_page_has_no_cursor(store):
    for _ in range(4):
        queued(store)
    page, cursor = store.jobs(limit=4)
    assert (len(page), cursor) == (4, None)
    page, cursor = store.jobs(limit=3)
    page, cursor = store.jobs(limit=3, cursor=cursor)
    assert (len(page), cursor) == (1, None)


def test_a_foreign_cursor_is_refused(store):
    for cursor in ["x", "=", "YWZ0ZXI6", "é", "' OR 1", "A" * 5000, "\ud800"]:
        with pytest.raises(Refused) as caught:
            store.jobs(cursor=cursor)
        assert caught.value.code == "bad_cursor"


def test_a_list_of_less_than_one_is_refused(store):
    for limit in (0, -1):
        with pytest.raises(Refused) as caught:
            store.jobs(limit=limit)
        assert caught.value.code == "bad_limit"


def test_filters(store):
    one = queued(store, name="Straße und Weg.pdf")
    two = started(store, engines=["pymupdf", "tesseract"], name="年度报告.pdf")
    three = finished(store, ["Nothing but the quixotic truth", "第二页 北京市"], name="c.pdf")

    def ids(**values):
        return [job.id for job in store.jobs(**values)[0]]

    assert ids() == [three.id, two.id, one.id]
    assert ids(state=JobState.RUNNING) == [two.id]
    assert ids(state=JobState.DONE) == [three.id]
    assert ids(engine="tesseract") == [two.id]
    assert ids(engine="pymupdf") == [three.id, two.id, one.id]
    assert ids(engine="pymu") == ids(engine="tess%") == ids(engine="pymupdf,tess") == []
    assert ids(engine="\ud800") == []
    assert ids(q="STRASSE") == ids(q="stra") == [one.id]
    assert ids(q="报告") == ids(q="告") == [two.id]
    assert ids(q="quixotic") == ids(q="北京") == [three.id]
    assert ids(q="quixotic", state=JobState.RUNNING) == []
    assert ids(q="  ") == [three.id, two.id, one.id]
    assert ids(q="%") == ids(q="_") == ids(q='"') == []


def test_start_writes_pages_once(store):
    job = queued(store)
    tasks = [(2, "b"), (1, "b"), (1, "a"), (1, "a")]
    running = store.start_job(job.id, 5, tasks)
    assert (running.state, running.counts.total, running.counts.pending) == (JobState.RUNNING, 3, 3)
    assert (running.document.pages, running.revision) == (5, 2)
    assert running.started >= running.created
    assert store.start_job(job.id, 9, [(7, "a")]) == running
    assert [(t.page, t.engine) for t in store.pages(job.id)] == [(1, "a"), (1, "b"), (2, "b")]
    assert store.open_work() == (1, 3)


def test_start_leaves_a_cancelled_job_alone(store):
    job = store.cancel_job(queued(store).id)
    assert store.start_job(job.id, 5, [(1, ENGINE)]) == job
    assert store.pages(job.id) == []


def test_cancel_takes_the_open_pages_along(store):
    job = started(store, pages=4)
    store.settle([done(job, 1), failed(job, 2)])
    cancelled = store.cancel_job(job.id)
    counts = cancelled.counts
    assert cancelled.state is JobState.CANCELLED
    assert (counts.done, counts.failed, counts.cancelled, counts.pending) == (1, 1, 2, 0)
    assert cancelled.finished
    assert [t.state.value for t in store.pages(job.id)] == [
        "done",
        "failed",
        "cancelled",
        "cancelled",
    ]
    assert store.open_work() == (0, 0)
    assert store.settle([done(job, 3)]) == []  # comes too late
    assert store.job(job.id) == cancelled
    with pytest.raises(Conflict) as caught:
        store.cancel_job(job.id)
    assert caught.value.code == "job_is_final"


def test_a_final_job_does_not_change_again(store):
    for job in (
        finished(store, data=b"one"),
        store.cancel_job(started(store, data=b"two").id),
        store.fail_job(queued(store).id, Failure("encrypted", "It needs a password.")),
    ):
        assert store.fail_job(job.id, Failure("other", "other")) == job
        assert store.finish_job(job.id, {"md": store.blobs.put(b"late")}) == job
        assert store.start_job(job.id, 1, [(1, ENGINE)]) == job
        with pytest.raises(Conflict):
            store.cancel_job(job.id)
        assert store.job(job.id) == job
    assert not store.blobs.exists(hashlib.sha256(b"late").hexdigest())


def test_every_change_raises_the_revision_by_one(store):
    job = queued(store)
    revisions = [job.revision, store.start_job(job.id, 1, [(1, ENGINE)]).revision]
    revisions += [change.job.revision for change in store.settle([done(job, 1)])]
    revisions += [store.finish_job(job.id, {}).revision]
    assert revisions == [1, 2, 3, 4]
    assert store.cancel_job(queued(store).id).revision == 2
    assert store.fail_job(queued(store).id, Failure("damaged", "It is damaged.")).revision == 2


def test_a_failed_job_says_why(store):
    job = started(store, pages=2)
    store.settle([done(job, 1)])
    job = store.fail_job(job.id, Failure("damaged", "Page 2 is\0 damaged."))
    assert (job.state, job.failure) == (
        JobState.FAILED,
        Failure("damaged", "Page 2 is damaged."),
    )
    assert (job.counts.done, job.counts.cancelled) == (1, 1)


def test_finish_is_refused_while_pages_are_open(store):
    job = started(store, pages=2)
    store.settle([done(job, 1)])
    for open_job in (job, queued(store)):
        with pytest.raises(Conflict) as caught:
            store.finish_job(open_job.id, {})
        assert caught.value.code == "job_is_open"


def test_finish_with_some_or_only_failed_pages(store):
    job = started(store, pages=2)
    store.settle([done(job, 1), failed(job, 2)])
    artifacts = {"md": store.blobs.put(b"md"), "json": store.blobs.put(b"{}")}
    job = store.finish_job(job.id, artifacts)
    assert (job.state, job.artifacts, job.failure) == (JobState.DONE, artifacts, None)
    assert store.blobs.read(job.artifacts["md"]) == b"md"

    job = started(store, pages=2)
    store.settle([failed(job, 1, "It is upside down."), failed(job, 2)])
    job = store.finish_job(job.id, {})
    assert job.state is JobState.FAILED
    assert "It is upside down." in job.failure.message


def test_open_and_complete_jobs(store):
    one, two, three = queued(store), started(store, pages=1), started(store, pages=1)
    finished(store)
    store.cancel_job(queued(store).id)
    assert [job.id for job in store.open_jobs()] == [one.id, two.id, three.id]
    assert store.complete_jobs() == []
    store.settle([done(two, 1), failed(three, 1)])
    assert store.complete_jobs() == [two.id, three.id]
    store.finish_job(two.id, {})
    assert store.complete_jobs() == [three.id]
    assert [job.id for job in store.open_jobs()] == [one.id, three.id]


def test_replays_are_runs_of_the_document_and_outlive_their_parent(store):
    parent = finished(store)
    assert store.runs(parent.id) == []
    values = {"document_id": parent.document.id, "document_name": "again.pdf", "parent": parent.id}
    replays = [
        store.add_jobs([NewJob(**values, engine="tesseract")])[0],
        store.add_jobs([NewJob(**values, origin=Origin.POSTPROCESS)])[0],
    ]
    assert store.runs(parent.id) == replays[::-1]
    assert store.runs(replays[0].id, limit=1) == [replays[1]]
    assert [job.origin for job in replays] == [Origin.RECOGNIZE, Origin.POSTPROCESS]
    with pytest.raises(Conflict) as caught:  # the second reads the parent's raw results
        store.delete_job(parent.id)
    assert caught.value.code == "job_in_use"
    store.cancel_job(replays[1].id)
    store.delete_job(parent.id)
    assert store.job(replays[0].id).parent == parent.id
    assert store.blobs.exists(parent.document.id)
    assert store.pages(replays[0].id) == []
    with pytest.raises(NotFound):
        store.runs(parent.id)


def test_work_before_counts_older_jobs_of_the_lane_and_those_of_lanes_above(store):
    late = started(store, pages=4, lane=Lane.BATCH)
    first = started(store, pages=3)
    queued(store, name="second.pdf")
    mine = started(store, pages=2)
    assert store.work_before(first.id) == (0, 0)
    assert store.work_before(mine.id) == (2, 3)
    assert store.work_before(late.id) == (3, 5)
    store.settle([done(first, 1)])
    assert store.work_before(mine.id) == (2, 2)
    store.cancel_job(first.id)
    assert store.work_before(mine.id) == (1, 0)


def test_pending_goes_on_behind_its_cursor(store):
    job = started(store, pages=3, engines=["a", "b"])
    store.settle([done(job, 2, engine="a")])
    first = store.pending(job.id, limit=2)
    assert [(t.page, t.engine) for t in first] == [(1, "a"), (1, "b")]
    rest = store.pending(job.id, after=(1, "b"), limit=9)
    assert [(t.page, t.engine) for t in rest] == [(2, "b"), (3, "a"), (3, "b")]
    assert all(task.state is PageState.PENDING for task in rest)
    assert store.pending(job.id, after=(3, "b"), limit=9) == []
    assert store.pending("unknown", limit=9) == []


def test_page_lists_by_number(store):
    job = started(store, pages=5, engines=["a", "b"])
    assert len(store.pages(job.id)) == 10
    part = store.pages(job.id, after=1, limit=2)
    assert [(t.page, t.engine) for t in part] == [(2, "a"), (2, "b"), (3, "a"), (3, "b")]
    assert store.pages(job.id, after=5) == []
    assert store.pages(job.id, after=10**30) == []
    assert store.pages(job.id, limit=0) == []


def test_a_job_is_listed_under_the_engine_that_read_a_page_in_place_of_auto(store):
    job = started(store, pages=3, engines=["auto"])
    assert store.jobs(engine="a") == ([], None)
    for pages in ((1, 2), (3,)):
        store.settle([replace(done(job, n, engine="auto"), engine="a") for n in pages])
    for name in ("a", "auto"):
        assert [found.id for found in store.jobs(engine=name)[0]] == [job.id]
    store.finish_job(job.id, {})
    store.delete_job(job.id)
    assert store.jobs(engine="a") == store.jobs(engine="auto") == ([], None)
