"""The model on a server, two engine processes for it, through the whole system: real processes."""

from collections import Counter

from shared.health import BusTable
from shared.records import Job
from shared.states import JobState
from tests.fakes.openai_server import OpenAIServer, said, serving
from tests.fakes.systems import scan_of

PAGES = 12
ENGINES = "deepseek:gpu0,deepseek:gpu1"
ANSWER = (
    "<|ref|>title<|/ref|><|det|>[[100, 50, 900, 90]]<|/det|>\n# What it read\n"
    "<|ref|>text<|/ref|><|det|>[[100, 200, 900, 400]]<|/det|>\nA paragraph of the page."
)


def _all(table: BusTable, *, down: bool) -> bool:
    """Whether both processes are there and say that the server is down, or that it is not."""
    workers = table.of_engine("deepseek")
    return len(workers) == 2 and all(w.state == "ready" and w.degraded is down for w in workers)


async def test_two_processes_wait_for_a_server_that_goes_away(running):
    book = scan_of(*(f"page {number}" for number in range(PAGES)))
    server = OpenAIServer(lambda _: said(ANSWER))
    with serving(server):
        settings = {"deepseek_url": server.url, "deepseek_url_pages": 2}
        async with running(engines=ENGINES, **settings) as system:
            table = await system.table(lambda table: _all(table, down=False))
            workers = sorted(table.of_engine("deepseek"), key=lambda worker: worker.gpu_number)
            assert [worker.gpu_number for worker in workers] == [0, 1]
            assert len({worker.pid for worker in workers}) == 2
            assert {worker.model for worker in workers} == {server.model}
            await _read(system, book, {worker.worker for worker in workers})
            await _outage(system, book, server)


async def _read(system, book: bytes, workers: set[str]) -> None:
    job = await system.finished(await system.submit(book, engine="deepseek"))
    _check(system, job)
    assert {task.worker for task in system.store.pages(job.id)} == workers
    title, text = system.store.page_result(job.id, 1).blocks
    assert (title.content, text.content) == ("What it read", "A paragraph of the page.")


async def _outage(system, book: bytes, server: OpenAIServer) -> None:
    """The server refuses every page, says so, and is there again."""
    server.answer = lambda _: (503, {})
    job = await system.submit(book, engine="deepseek", reuse=False)
    table = await system.table(lambda table: _all(table, down=True), seconds=30)
    for worker in table.of_engine("deepseek"):
        assert "cannot take pages now (status 503)" in worker.message
    server.answer = lambda _: said(ANSWER)
    _check(system, await system.finished(job))
    await system.table(lambda table: _all(table, down=False))


def _check(system, job: Job) -> None:
    assert (job.state, job.counts.done) == (JobState.DONE, PAGES)
    pages = system.store.pages(job.id)
    assert Counter(task.page for task in pages) == dict.fromkeys(range(1, PAGES + 1), 1)
    assert not [attempt for task in pages for attempt in task.history]
