"""An engine that takes pages while others run."""

from shared.states import JobState, PageState

FLAGS = {
    "engines": "concurrent",
    "engine_classes": "concurrent=tests.fakes.concurrent_engine:ConcurrentEngine",
}


async def test_pages_join_those_that_run_and_credit_follows_what_it_says(running, make_pdf):
    async with running(**FLAGS) as system:
        texts = [f"number {n}" for n in range(1, 25)]
        job = await system.submit(make_pdf(*texts), engine="concurrent")
        job = await system.finished(job)
        assert job.counts.done == len(texts)
        markdown = system.store.blobs.read(job.artifacts["md"]).decode()
        assert "held 4" in markdown
        assert all(markdown.count(f"number {n} held") == 1 for n in range(1, 25))


async def test_what_it_raises_is_charged_to_the_page_that_makes_it_raise(running, make_pdf):
    async with running(**FLAGS) as system:
        texts = ["one", "two", "RAISE", "four", "five", "six"]
        job = await system.submit(make_pdf(*texts), engine="concurrent")
        job = await system.finished(job)
        states = {task.page: task for task in system.store.pages(job.id)}
        assert job.state is JobState.DONE
        assert states[3].state is PageState.FAILED
        assert "ValueError" in states[3].reason
        assert [states[n].state for n in (1, 2, 4, 5, 6)] == [PageState.DONE] * 5


async def test_it_recycles_between_pages_and_loses_none(running, make_pdf):
    async with running(**FLAGS, engine_max_pages=7) as system:
        texts = [f"number {n}" for n in range(1, 31)]
        job = await system.submit(make_pdf(*texts), engine="concurrent")
        job = await system.finished(job)
        assert job.counts.done == len(texts)
        assert all(task.crashes == 0 for task in system.store.pages(job.id))
        assert sum("starts anew" in line for line in system.log) >= 3


async def test_an_engine_that_lasts_is_not_recycled_for_its_pages(running, make_pdf):
    place = "concurrent=tests.fakes.concurrent_engine:LastingEngine"
    flags = {**FLAGS, "engine_classes": place, "engine_max_pages": 3}
    async with running(**flags) as system:
        job = await system.submit(make_pdf(*"abcdefgh"), engine="concurrent")
        job = await system.finished(job)
        assert job.counts.done == 8
        assert not any("starts anew" in line for line in system.log)
