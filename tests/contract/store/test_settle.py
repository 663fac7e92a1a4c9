"""Page results: settled once, read back whole, reused."""

from dataclasses import replace

import pytest

from shared.blocks import Block, BlockType
from shared.errors import NotFound
from shared.records import Settled
from shared.states import JobState, PageState
from tests.fakes.store_work import ENGINE, done, failed, finished, queued, result, started


def test_a_result_comes_back_as_it_was(store):
    crop = store.blobs.put(b"PNG of a figure")
    job = started(store, pages=1, options={"lang": "de"})
    blocks = (
        Block(BlockType.HEADING, 0, (0.1, 0.25, 0.5, 0.75), "# 标题 ∑ 😀", level=2, confidence=0.5),
        Block(BlockType.FIGURE, 1, (0, 0, 1, 1), "", image=crop, continues_prev=True),
    )
    answer = result(
        job,
        1,
        "标题 ∑ 😀",
        blocks=blocks,
        raw=bytes(range(256)) * 5,
        raw_media_type="application/x-engine",
        turned_degrees=90,
        skew_degrees=-0.75,
        images=(crop,),
        timings={"detect": 1.5},
        warnings=("It is dark.",),
        model="m-1",
        options={"lang": "de"},
        reused_from=None,
    )
    settled = replace(done(job, 1), result=answer, attempts=2, crashes=1, worker="w1")
    (change,) = store.settle([settled])
    assert store.page_result(job.id, 1) == answer
    assert list(store.results(job.id)) == [answer]
    (task,) = store.pages(job.id)
    assert change.settled == [task]
    assert (task.state, task.attempts, task.crashes) == (PageState.DONE, 2, 1)
    assert (task.milliseconds, task.worker, task.source) == (12.5, "w1", "ocr")
    assert store.blobs.read(crop) == b"PNG of a figure"


def test_the_first_final_state_wins(store):
    job = started(store, pages=3)
    (change,) = store.settle([done(job, 1, "first"), done(job, 1, "second"), failed(job, 2)])
    assert [(t.page, t.state) for t in change.settled] == [
        (1, PageState.DONE),
        (2, PageState.FAILED),
    ]
    assert (change.job.revision, change.complete) == (3, False)
    assert store.settle([failed(job, 1), done(job, 2)]) == []
    (change,) = store.settle([done(job, 2), done(job, 3)])
    assert [t.page for t in change.settled] == [3]
    assert (change.job.revision, change.complete) == (4, True)
    counts = store.job(job.id).counts
    assert (counts.done, counts.failed, counts.pending) == (2, 1, 0)
    assert store.page_result(job.id, 1).text == "first"
    assert [answer.page for answer in store.results(job.id)] == [1, 3]
    assert [hit.page for hit in store.search("second")] == []


def test_unknown_work_is_ignored(store):
    job = started(store, pages=1)
    gone = finished(store, data=b"other")
    store.delete_job(gone.id)
    batch = [done("0" * 26, 1), done(gone, 1), done(job, 9), done(job, 1, engine="x")]
    assert store.settle(batch) == []
    assert store.settle([]) == []
    (change,) = store.settle([*batch, done(job, 1)])
    assert [(t.job, t.page) for t in change.settled] == [(job.id, 1)]


def test_one_batch_over_several_jobs_and_more_pages_than_one_query_takes(store):
    jobs = [started(store, pages=n, data=b"%d" % n) for n in (350, 2)]
    batch = [done(jobs[0], page) for page in range(350, 0, -1)] + [done(jobs[1], 2)]
    changes = {change.job.id: change for change in store.settle(batch)}
    assert [t.page for t in changes[jobs[0].id].settled] == list(range(1, 351))
    assert (changes[jobs[0].id].complete, changes[jobs[1].id].complete) == (True, False)
    assert changes[jobs[0].id].job.revision == 3
    assert [answer.page for answer in store.results(jobs[0].id)] == list(range(1, 351))


@pytest.mark.parametrize("state", [PageState.PENDING, PageState.RUNNING])
def test_a_state_that_is_not_final_is_a_clear_error(store, state):
    job = started(store, pages=2)
    with pytest.raises(ValueError, match=rf"page 2 .*{state.value}"):
        store.settle([done(job, 1), Settled(job.id, 2, ENGINE, state)])
    assert store.job(job.id).counts.pending == 2


def test_a_done_page_needs_a_result(store):
    job = started(store, pages=1)
    with pytest.raises(ValueError, match=r"page 1 .*result"):
        store.settle([Settled(job.id, 1, ENGINE, PageState.DONE)])


def test_what_engines_say_cannot_break_a_batch(store):
    job = started(store, pages=2)
    odd = result(
        job,
        1,
        "nul \0 and \ud800 alone",
        width=float("nan"),
        height=float("inf"),
        skew_degrees=float("nan"),
        source="\ud800",
        model="\0",
        raw_media_type="\0x",
        warnings=("\ud800\0",),
        timings={"a\ud800": float("nan")},
    )
    bad = replace(
        done(job, 1),
        result=odd,
        reason="\ud800",
        reason_type="\0",
        worker="\ud800",
        milliseconds=float("nan"),
    )
    (change,) = store.settle([bad, done(job, 2)])
    assert change.complete
    answer = store.page_result(job.id, 1)
    assert (answer.text, answer.width, answer.height) == ("nul  and ? alone", 0.0, 0.0)
    assert store.pages(job.id)[0].milliseconds is None
    assert [hit.page for hit in store.search("alone")] == [1]
    assert answer.warnings == ("?",)


def test_page_result_says_why_there_is_none(store):
    job = queued(store)

    def code_and_text(*asked):
        with pytest.raises(NotFound) as caught:
            store.page_result(job.id, *asked)
        return caught.value.code, str(caught.value)

    assert code_and_text(1)[0] == "page_not_ready"
    store.start_job(job.id, 2, [(1, ENGINE), (2, ENGINE)])
    assert code_and_text(1)[0] == "page_not_ready"
    for asked in ((3,), (0,), (-1,), (10**30,), (1, "other"), (1, "\ud800")):
        assert code_and_text(*asked)[0] == "page_not_found"
    store.settle([failed(job, 2, "It is blank.")])
    code, text = code_and_text(2)
    assert code == "page_not_ready"
    assert "It is blank." in text


def test_page_result_prefers_the_engine_asked_for_first(store):
    job = started(store, pages=1, engines=["zeta", "alpha"])
    store.settle([done(job, 1, "by alpha", engine="alpha")])
    assert store.page_result(job.id, 1).engine == "alpha"
    store.settle([done(job, 1, "by zeta", engine="zeta")])
    assert store.page_result(job.id, 1).engine == "zeta"
    assert store.page_result(job.id, 1, "alpha").text == "by alpha"
    assert [r.engine for r in store.results(job.id)] == ["alpha", "zeta"]


def test_results_stream_in_page_order(store):
    job = started(store, pages=50, engines=["a", "b"])
    wanted = [(page, engine) for page in range(1, 51) for engine in "ab"]
    store.settle([done(job, page, engine=engine) for page, engine in reversed(wanted)])
    assert [(r.page, r.engine) for r in store.results(job.id)] == wanted


def test_identical_work_is_found_again(store):
    job = finished(store, ["one", "two"], engine=ENGINE)
    document = job.document.id
    assert store.reusable(document, 1, ENGINE, {}).text == "one"
    assert store.reusable(document, 2, ENGINE, {}).job == job.id
    for other in (
        ("0" * 64, 1, ENGINE, {}),
        (document, 3, ENGINE, {}),
        (document, 1, "other", {}),
        (document, 1, ENGINE, {"dpi": 300}),
    ):
        assert store.reusable(*other) is None
    store.delete_job(job.id)
    assert store.reusable(document, 1, ENGINE, {}) is None


def test_reuse_compares_options_by_value_and_takes_the_newest(store):
    options = {"a": 1, "b": {"x": [1, 2], "y": None}}
    for text in ("old", "new"):
        job = started(store, pages=2, options=options)
        store.settle([done(job, 1, text, options=options), failed(job, 2)])
    turned = {"b": {"y": None, "x": [1, 2]}, "a": 1}
    assert store.reusable(job.document.id, 1, ENGINE, turned).text == "new"
    assert store.reusable(job.document.id, 1, ENGINE, {**turned, "a": 2}) is None
    assert store.reusable(job.document.id, 2, ENGINE, options) is None


def test_reused_work_keeps_its_pictures_when_the_first_job_goes(store):
    crop = store.blobs.put(b"figure")
    first = started(store, pages=1)
    store.settle([done(first, 1, images=(crop,))])
    store.finish_job(first.id, {})
    again = started(store, pages=1)
    found = store.reusable(first.document.id, 1, ENGINE, {})
    store.delete_job(first.id)  # between the look-up and the commit
    answer = replace(found, job=again.id, reused_from=first.id)
    store.settle([replace(done(again, 1), result=answer)])
    assert store.pages(again.id)[0].reused_from == first.id
    assert store.page_result(again.id, 1).images == (crop,)
    assert store.blobs.read(crop) == b"figure"


def test_a_lost_picture_does_not_lose_the_page(store):
    job = started(store, pages=1)
    gone, here = "0" * 64, store.blobs.put(b"here")
    blocks = tuple(
        Block(BlockType.FIGURE, n, (0, 0, 1, 1), "", image=sha256)
        for n, sha256 in enumerate((gone, here))
    )
    store.settle([done(job, 1, blocks=blocks, images=(gone, here))])
    answer = store.page_result(job.id, 1)
    assert answer.images == (here,)
    assert [block.image for block in answer.blocks] == [None, here]
    assert len(answer.warnings) == 1


def test_crops_of_answers_that_came_too_late_are_removed(store):
    job = started(store, pages=1)
    kept, late = store.blobs.put(b"kept"), store.blobs.put(b"late")
    store.settle([done(job, 1, images=(kept,))])
    store.settle([done(job, 1, images=(late,))])
    assert store.blobs.exists(kept)
    assert not store.blobs.exists(late)
    assert not list(store.blobs.temp.iterdir())


def test_page_images_newest_wins_and_old_ones_go(store):
    job = queued(store)
    document = job.document.id
    assert store.page_image(document, 1) is None
    old, both = store.blobs.put(b"old"), store.blobs.put(b"both")
    store.add_page_images(document, {1: old, 2: both, 3: both})
    assert store.page_image(document, 1) == old
    new = store.blobs.put(b"new")
    store.add_page_images(document, {1: new, 2: new})
    store.blobs.put(b"new")
    store.add_page_images(document, {1: new})
    assert store.page_image(document, 1) == store.page_image(document, 2) == new
    assert store.page_image(document, 3) == both
    assert not store.blobs.exists(old)
    assert store.blobs.read(new) == b"new"
    assert store.page_image(document, 10**30) is None


def test_page_images_of_a_deleted_document_are_dropped(store):
    job = finished(store)
    store.delete_job(job.id)
    preview = store.blobs.put(b"preview")
    store.add_page_images(job.document.id, {1: preview})
    assert store.page_image(job.document.id, 1) is None
    assert not store.blobs.exists(preview)


def test_a_job_without_pages_is_complete_at_once(store):
    job = store.start_job(queued(store).id, 1, [])
    assert (job.state, store.complete_jobs()) == (JobState.RUNNING, [job.id])
    assert store.finish_job(job.id, {}).state is JobState.DONE
