"""Jobs through real processes: good pages, bad pages, replays."""

import asyncio
from dataclasses import replace

import pytest

from shared.followups import MERGE
from shared.records import NewJob
from shared.states import JobState, Origin, PageState

FULL = 20  # pages


def pages_of(make_pdf, count):
    return make_pdf(*(f"This is page {n} of the book." for n in range(1, count + 1)))


async def test_every_page_is_there_once_and_in_order(system, make_pdf):
    job = await system.finished(await system.submit(pages_of(make_pdf, FULL)))
    assert job.state is JobState.DONE
    assert job.counts.done == FULL
    markdown = system.store.blobs.read(job.artifacts["md"]).decode()
    places = [markdown.index(f"This is page {n} of the book.") for n in range(1, FULL + 1)]
    assert places == sorted(places)
    assert markdown.count("of the book") == FULL
    assert set(job.artifacts) == {"md", "json", "html", "txt"}
    assert system.store.page_image(job.document.id, FULL) is not None


async def test_a_selection_makes_only_those_pages(system, make_pdf):
    job = await system.submit(pages_of(make_pdf, 5), pages="2-3,5")
    job = await system.finished(job)
    assert [task.page for task in system.store.pages(job.id)] == [2, 3, 5]


async def test_a_selection_that_names_no_page_fails_with_a_sentence(system, make_pdf):
    job = await system.finished(await system.submit(pages_of(make_pdf, 2), pages="7"))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.type == "bad_page_range"
    assert "2 pages" in job.failure.message
    assert system.store.job(job.id).document.pages == 2  # so the front refuses it next time


@pytest.mark.timeout(120)
async def test_a_bad_page_never_fails_its_job(system, make_pdf):
    data = make_pdf("good one", "REFUSE this", "good two", "OUTSIDE the door", "CRASH now", "end")
    job = await system.finished(await system.submit(data), seconds=90)
    states = {task.page: task for task in system.store.pages(job.id)}
    assert job.state is JobState.DONE
    assert (job.counts.done, job.counts.failed) == (4, 2)
    refused, crashed = states[2], states[5]
    assert refused.state is PageState.FAILED
    assert refused.reason == "The page says REFUSE."
    tries = system.store.attempts(job.id, 2, "text")
    assert [each.reason for each in tries if each.outcome == "failed"] == [refused.reason] * 3
    # Readings that were begun: the crashes of page 5 may have cut some short.
    assert 3 <= refused.attempts <= 3 + crashed.crashes
    assert crashed.quarantined
    assert crashed.crashes == 3
    assert states[4].state is PageState.DONE
    assert all(states[n].crashes == 0 for n in (1, 2, 3, 4, 6))


async def test_a_hung_page_is_found_and_quarantined_and_the_rest_goes_on(running, make_pdf):
    async with running(hang_seconds=1.5, crash_attempts=2) as system:
        job = await system.submit(make_pdf("good", "HANG", "also good"))
        job = await system.finished(job)
        states = {task.page: task for task in system.store.pages(job.id)}
        assert states[2].quarantined
        assert states[1].state is states[3].state is PageState.DONE


async def test_slow_is_not_hung(running, make_pdf):
    async with running(hang_seconds=1.0) as system:
        job = await system.finished(await system.submit(make_pdf("SLOW but moving")))
        [task] = system.store.pages(job.id)
        assert task.state is PageState.DONE
        assert task.crashes == 0


async def test_cancel_settles_at_once_and_frees_the_engine(running, make_pdf, monkeypatch):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.2")
    async with running() as system:
        long = await system.submit(pages_of(make_pdf, 60))
        await system.until(long, lambda job: job.counts.done >= 2)
        cancelled = system.store.cancel_job(long.id)
        await system.bus.cancel(long.id)
        assert cancelled.state is JobState.CANCELLED
        short = await system.finished(await system.submit(make_pdf("after that")), seconds=5)
        assert short.state is JobState.DONE
        left = system.store.job(long.id)
        assert left.counts.done + left.counts.cancelled == 60
        system.store.want(long.id, MERGE)  # what was read stays, and is a result when asked for
        left = await system.made(long, MERGE)
        text = system.store.blobs.read(left.artifacts["txt"]).decode()
        assert text.count("was cancelled]") == left.counts.cancelled
        assert text.count("of the book.") == left.counts.done >= 2
        system.store.delete_job(long.id)


async def test_replay_from_postprocess_runs_no_engine(system, make_pdf):
    first = await system.finished(await system.submit(make_pdf("one", "two")))
    kill = system.pid("text")
    again = await system.add(
        NewJob(
            document_id=first.document.id,
            document_name=first.document.name,
            engine="text",
            origin=Origin.POSTPROCESS,
            parent=first.id,
        )
    )
    again = await system.finished(again)
    assert again.state is JobState.DONE
    assert again.parent == first.id
    assert system.store.blobs.read(again.artifacts["txt"]) == system.store.blobs.read(
        first.artifacts["txt"]
    )
    tasks = system.store.pages(again.id)
    assert [task.reused_from for task in tasks] == [first.id, first.id]
    assert system.pid("text") == kill


async def test_identical_work_is_reused_when_asked_and_says_so(system, make_pdf):
    first = await system.finished(await system.submit(make_pdf("one", "two")))
    new = NewJob(document_id=first.document.id, document_name="b.pdf", engine="text", reuse=True)
    again = await system.finished(await system.add(new))
    assert {task.reused_from for task in system.store.pages(again.id)} == {first.id}
    other = await system.finished(await system.add(replace(new, options={"x": 1})))
    assert {task.reused_from for task in system.store.pages(other.id)} == {None}


async def test_a_short_job_overtakes_a_long_one(running, make_pdf, monkeypatch):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.1")
    async with running() as system:
        long = await system.submit(pages_of(make_pdf, 100))
        await system.until(long, lambda job: job.counts.done >= 1)
        short = await system.submit(make_pdf("me first"))
        async with asyncio.timeout(5):
            await system.finished(short)
        assert system.store.job(long.id).state is JobState.RUNNING


@pytest.mark.parametrize("data", [b"", b"not a document", b"%PDF-1.7\nnothing"])
async def test_what_is_no_document_fails_with_a_sentence(system, data):
    job = await system.finished(await system.submit(data))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.message.endswith(".") or "quire" in job.failure.message
