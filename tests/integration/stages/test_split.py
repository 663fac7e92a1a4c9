"""What split does with documents and parents that change under its hands."""

from dataclasses import replace

import pytest

from bus.worker import Delivery
from shared.errors import NotFound, Refused
from shared.messages import Closed, PageReady, Result, SplitDone, Task, split_key
from shared.page_codec import from_frames
from shared.records import NewJob
from shared.settings import Settings
from shared.states import JobState, Origin
from stages import page_sender
from stages.reader import process
from stages.split import Splitter
from stages.stored_answer import LOST_CROP, output_of
from stages.work import PASSING
from tests.fakes.engines import TextEngine
from tests.fakes.recorded_line import RecordedLine
from tests.fakes.store_work import done, open_store, queued, result, started
from tests.fakes.systems import pdf_of

CLASSES = (
    "text=tests.fakes.engines:TextEngine",
    "better=tests.fakes.engines:BetterEngine",
)
SETTINGS = Settings(engine_classes=CLASSES, engines=("text",))


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def split(store):
    """Does one task of a job in a split process of its own; the line that it spoke on."""

    def run(job, heard=lambda _message: None, settings=SETTINGS, **header):
        line = RecordedLine(heard)
        splitter = Splitter(settings, store, line.worker(settings, "split"))
        try:
            splitter._one(Delivery(Task(split_key(job), 1, job, header), ()))
        finally:
            splitter.close()
        assert len(line.all(SplitDone)) == 1
        return line

    return run


def test_a_crop_that_is_lost_does_not_hold_up_the_replay(store, split):
    crops = [store.blobs.put(data) for data in (b"one", b"two")]
    raw = TextEngine.raw_of("words")
    parent = started(store, pages=1, engines=["text"])
    store.settle([done(parent, 1, engine="text", raw=raw, images=tuple(crops))])
    store.finish_job(parent.id, {"md": store.blobs.put(b"words")})
    store.blobs.delete(crops[0])
    again = NewJob(
        parent.document.id, "b", engine="text", origin=Origin.POSTPROCESS, parent=parent.id
    )
    [job] = store.add_jobs([again])
    line = split(job.id)
    assert not line.all(Closed)
    [(answer, frames)] = [(m, f) for m, f in line.said if isinstance(m, Result)]
    assert answer.outcome == "done"
    output = from_frames([bytes(frame) for frame in frames])
    assert list(output.images) == crops[1:]
    assert output.warnings == (LOST_CROP,)


def test_a_block_loses_the_crop_that_is_lost(store):
    [block] = result("j", 1).blocks
    lost = "0" * 64
    page = result("j", 1, images=(lost,))
    output = output_of(page, (replace(block, image=lost),), store)
    assert output.blocks == (block,)


def test_a_parent_that_is_gone_is_not_taken_for_the_job(store, split):
    parent = started(store, pages=1)
    new = NewJob(parent.document.id, "b", origin=Origin.POSTPROCESS, parent=parent.id)
    [job] = store.add_jobs([new])
    store.start_job(job.id, 1, [(1, "auto")])  # of a page that the parent never read
    [answer] = split(job.id).all(Result)
    assert (answer.outcome, answer.header["reason_type"]) == ("failed", "page_not_found")


def test_what_a_job_lacks_is_not_taken_for_the_job(store, split, monkeypatch):
    job = started(store, pages=1, engines=["text"])

    def pending(*_, **__):
        raise NotFound("The file is not in the data directory.", code="blob_not_found")

    monkeypatch.setattr(store, "pending", pending)
    assert split(job.id).all(Closed)
    assert store.job(job.id).failure.type == "blob_not_found"


def test_a_document_that_no_longer_opens_fails_pages_and_not_the_job(store, split):
    job = queued(store, data=pdf_of(*"abcdef"), engine="text")
    assert len(split(job.id, limit=1).all(PageReady)) == 1
    store.blobs.path(job.document.id).write_bytes(b"no document at all")
    line = split(job.id, cursor=(1, "text"), limit=10)
    assert store.job(job.id).state is JobState.RUNNING
    codes = [answer.header["reason_type"] for answer in line.all(Result)]
    assert codes == ["not_a_document"] * 3 + ["document_given_up"] * 2
    assert all(answer.header["final"] for answer in line.all(Result))


def test_a_document_that_never_opens_fails_its_job(store, split):
    job = queued(store, data=b"no document at all", engine="text")
    assert split(job.id).all(Closed)
    assert store.job(job.id).failure.type == "not_a_document"


def test_a_job_that_is_deleted_before_it_is_refused_ends_nothing(store):
    line = RecordedLine()
    splitter = Splitter(SETTINGS, store, line.worker(SETTINGS, "split"))
    splitter._refuse("deleted", Refused("It is damaged.", code="damaged"))
    assert [closed.jobs for closed in line.all(Closed)] == [("deleted",)]


def test_a_page_is_sent_behind_the_row_of_its_preview(store, split):
    job = queued(store, data=pdf_of("a", "b", "c"), engine="text")
    missing = []

    def heard(message):
        if isinstance(message, PageReady):
            page = message.header["page"]
            if store.page_image(job.document.id, page) is None:
                missing.append(page)

    line = split(job.id, heard, limit=3)
    assert [ready.header["page"] for ready in line.all(PageReady)] == [1, 2, 3]
    assert missing == []


def test_a_page_does_not_wait_for_a_slow_one_behind_it(store, split, monkeypatch):
    monkeypatch.setattr(page_sender, "GATHER_SECONDS", -1.0)
    job = queued(store, data=pdf_of("a", "b"), engine="text")
    seen = []

    def heard(message):
        if isinstance(message, PageReady):
            seen.append([store.page_image(job.document.id, page) is not None for page in (1, 2)])

    split(job.id, heard, limit=2)
    assert seen == [[True, False], [True, True]]


def test_each_of_several_engines_gets_the_options_that_it_knows(store, split):
    job = queued(
        store, data=pdf_of("a"), engine="text,better", options={"temperature": 0.5, "other": 1}
    )
    ready = split(job.id, limit=4).all(PageReady)
    assert {each.service: each.header["options"] for each in ready} == {
        "recognize.better": {"temperature": 0.5},
        "recognize.text": {},
    }


def test_an_engine_of_another_host_keeps_its_options(store, split):
    job = queued(store, data=pdf_of("a"), engine="text,far", options={"size": 2})
    options = {r.service: r.header["options"] for r in split(job.id, limit=4).all(PageReady)}
    assert options == {"recognize.far": {"size": 2}, "recognize.text": {}}


def test_auto_takes_what_an_engine_with_several_processes_has_read(store, split):
    data = pdf_of("a")
    first = started(store, pages=1, engines=["better"], data=data)
    store.settle([done(first, 1, engine="better")])
    job = queued(store, data=data, engine="auto", reuse=True)
    line = split(job.id, settings=replace(SETTINGS, engines=("better*2:gpu0",)))
    assert not line.all(PageReady)
    assert [answer.header["reused_from"] for answer in line.all(Result)] == [first.id]


def test_a_reader_that_cannot_start_is_waited_for(store, split, monkeypatch):
    job = queued(store, data=pdf_of("a"), engine="text")
    real = process.subprocess.Popen
    failing = [True]

    def start(*arguments, **options):
        if failing:
            failing.clear()
            raise OSError(12, "Cannot allocate memory")
        return real(*arguments, **options)

    monkeypatch.setattr(process.subprocess, "Popen", start)
    assert len(split(job.id).all(PageReady)) == 1
    assert not failing
    assert {"reader_not_started", "writer_not_started"} < PASSING
