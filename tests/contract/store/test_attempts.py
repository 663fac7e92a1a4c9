"""Routes of pages and refused answers: kept, counted by turn, read back, deleted."""

from dataclasses import replace

from shared.records import Retry
from shared.routing import Attempt, Route
from shared.states import PageState
from tests.fakes.store_work import done, failed, finished, started

LOOP = Attempt(
    engine="deepseek",
    outcome="refused",
    reason="It repeats itself.",
    reason_type="loop",
    finding="loop",
    options={"temperature": 0.0},
    milliseconds=12.5,
    worker="deepseek-7",
    at=1000.0,
    text="la la la 中文 \0\ud800",
    answer=b"\x00whole answer",
)


def retry(job, page=1, turn=0, engine="mineru", **more):
    route = Route(engine, f"{engine} is next.", "engine", {"x": 1}, turn + 1, ("mineru",), "sound")
    return Retry(job.id, page, "auto", turn, route, attempts=turn + 1, history=(LOOP,), **more)


def auto_job(store, pages=1):
    return started(store, pages=pages, engines=["auto"])


def test_a_refused_answer_is_kept_and_its_page_goes_on(store):
    job = auto_job(store, pages=2)
    (change,) = store.settle([retry(job, reason="It repeats itself.", crashes=1)])
    (task,) = change.retried
    assert (change.settled, change.complete, change.job.revision) == ([], False, 3)
    assert (task.asked, task.engine, task.state) == ("auto", "mineru", PageState.PENDING)
    assert (task.turn, task.rung, task.choice) == (1, "engine", "mineru is next.")
    assert (task.attempts, task.crashes, task.reason) == (1, 1, "It repeats itself.")
    assert task.route == retry(job).route
    assert task.history == (replace(LOOP, text=None, answer=None, has_text=True),)
    assert (task.mark, store.job(job.id).counts.pending) == ("fallback", 2)
    assert store.pages(job.id)[0] == store.pending(job.id, limit=9)[0] == task
    assert store.still_pending(job.id, [(1, "auto"), (1, "x"), (9, "auto")]) == [task]
    [kept] = store.attempts(job.id, 1, "auto")
    assert (kept.text, kept.answer) == ("la la la 中文 \0?", b"\x00whole answer")


def test_a_refused_answer_counts_once_and_only_in_its_turn(store):
    job = auto_job(store)
    assert store.settle([retry(job)])
    assert store.settle([retry(job)]) == []  # the same answer, sent again
    assert store.settle([replace(failed(job, 1, engine="auto"), turn=0)]) == []
    (change,) = store.settle([retry(job, turn=1, engine="pymupdf")])
    (task,) = change.retried
    assert (task.turn, task.engine, len(task.history)) == (2, "pymupdf", 2)
    (change,) = store.settle([replace(failed(job, 1, engine="auto"), turn=2, history=(LOOP,))])
    (task,) = change.settled
    assert (task.state, len(task.history), change.complete) == (PageState.FAILED, 3, True)
    assert store.settle([retry(job, turn=2)]) == []


def test_a_good_answer_of_an_earlier_turn_is_taken(store):
    job = auto_job(store)
    store.settle([retry(job)])
    late = replace(done(job, 1, engine="deepseek"), asked="auto", rung="", choice="It was there.")
    answer = replace(late.result, asked="auto")
    (change,) = store.settle([replace(late, result=answer, turn=0)])
    (task,) = change.settled
    assert (task.engine, task.asked, task.mark) == ("deepseek", "auto", "retried")
    assert store.page_result(job.id, 1) == answer
    for name in ("auto", "deepseek"):
        assert store.page_result(job.id, 1, name).engine == "deepseek"
    assert [hit.engine for hit in store.search("words")] == ["deepseek"]
    for name, found in (("auto", True), ("deepseek", True), ("mineru", False)):
        assert bool(store.jobs(engine=name)[0]) is found


def test_a_last_resort_counts_only_in_its_turn(store):
    job = auto_job(store)
    store.settle([retry(job)])
    refused = replace(done(job, 1, engine="auto"), last_resort=True)
    assert store.settle([replace(refused, turn=0)]) == []  # another engine reads the page now
    assert store.pages(job.id)[0].state is PageState.PENDING
    (change,) = store.settle([replace(refused, turn=1)])
    assert change.complete


def test_what_an_engine_read_under_auto_is_reused_for_its_name(store):
    job = auto_job(store)
    read = done(job, 1, engine="deepseek", options={"a": 1})
    store.settle([replace(read, asked="auto", result=replace(read.result, asked="auto"))])
    document = job.document.id
    assert store.reusable(document, 1, "deepseek", {"a": 1}).asked == "auto"
    assert store.reusable(document, 1, "auto", {"a": 1}) is None
    assert store.reusable(document, 1, "deepseek", {}) is None


def test_routes_are_noted_for_open_pages_of_their_turn(store):
    job = auto_job(store, pages=3)
    store.settle([done(job, 1, engine="auto"), retry(job, 2)])
    route = Route("deepseek", "The page has no sound text layer.")
    store.note_routes(job.id, {(page, "auto"): route for page in (1, 2, 3, 9)})
    assert [(t.engine, t.asked) for t in store.pages(job.id)] == [
        ("auto", "auto"),
        ("mineru", "auto"),
        ("deepseek", "auto"),
    ]
    assert store.pages(job.id)[2].choice == "The page has no sound text layer."
    assert store.job(job.id).revision == 3  # no event of its own


def test_ink_is_known_of_pages_that_were_looked_at(store):
    job = auto_job(store, pages=2)
    looks = {page: store.blobs.put(b"%d" % page) for page in (1, 2)}
    store.add_page_images(job.document.id, looks, {1: 0.25})
    assert store.page_look(job.document.id, 1) == (looks[1], 0.25)
    assert store.page_look(job.document.id, 2) == (looks[2], None)
    assert store.page_look(job.document.id, 3) == (None, None)


def test_attempts_go_with_their_job(store):
    job, other = auto_job(store), finished(store)
    store.settle([retry(job)])
    store.settle([replace(failed(job, 1, engine="auto"), turn=1, history=(LOOP,))])
    store.finish_job(job.id, {})
    store.delete_job(job.id)
    assert store.attempts(job.id, 1, "auto") == []
    assert store.pages(other.id)
