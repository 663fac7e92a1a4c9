"""With no engine at work, uploads cost no memory in any process; then they are refused in words."""

import asyncio
import os
import signal
import time

import httpx
import psutil
import pytest

from shared.states import JobState
from tests.fakes.up import answer
from tests.fakes.web_system import free_ports

MIB = 1024 * 1024
LIMIT = 10_000  # pages that may be unfinished
PAGES_A_JOB = LIMIT // 2
GROWTH_MIB = 40  # of any process, over what it has after a small job
READER_MIB = 80  # what a reader takes before it opens anything
OUTAGE_SECONDS = 8.0  # ten minutes are twenty times the usual patience; this is eight times ours
PATIENCE = {
    "heartbeat_seconds": 0.25,
    "silence_seconds": 1.0,
    "hang_seconds": 1.0,
    "fallback_seconds": 1.0,
    "backoff_seconds": 0.05,
}
QUICK = {  # what is measured is what the processes hold, and not how fast pages are drawn
    "engine_classes": "text=tests.fakes.rate_engine:RateEngine",
    "preview_pixels": 64,
    "window_pages": 256,
    "split_chunk_pages": 64,
}


def book(pages: int) -> bytes:
    """A PDF of that many pages with one line of text, all drawn by the same stream."""
    text = b"BT /F 12 Tf 9 9 Td (a page) Tj ET"
    kids = b" ".join(b"%d 0 R" % number for number in range(5, 5 + pages))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R"
    page += b"/Resources<</Font<</F 3 0 R>>>>>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, kids),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        *[page] * pages,
    ]
    data, places = b"%PDF-1.7\n", []
    parts = [data]
    at = len(data)
    for number, body in enumerate(objects, start=1):
        part = b"%d 0 obj%s endobj\n" % (number, body)
        places.append(at)
        parts.append(part)
        at += len(part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, at)
    return b"".join([*parts, head, table, tail])


@pytest.mark.timeout(300)
async def test_ten_thousand_pages_without_an_engine_are_taken_then_refused_then_worked_off(running):
    [port] = free_ports(1)
    flags = {**QUICK, "port": port, "max_queued_pages": LIMIT, "hang_seconds": 600.0}
    async with running(web=True, **flags) as system:
        client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20.0
        )

        async def send(data: bytes) -> httpx.Response:
            files = {"file": ("a.pdf", data, "application/pdf")}
            return await client.post("/api/v1/jobs", files=files, data={"engine": "text"})

        async def opened(reply: httpx.Response):
            assert reply.status_code == 202, reply.text
            job = system.store.job(reply.json()["jobs"][0]["id"])
            return await system.until(job, lambda now: now.counts.total > 0)

        async with client:
            await answer(client, "/health")
            await system.table(lambda table: len(table.of_engine("text")) == 1)
            await system.finished(await opened(await send(book(20))))
            before = memory(system)
            os.kill(system.pid("text"), signal.SIGSTOP)
            data = book(PAGES_A_JOB)
            jobs = [await opened(await send(data)) for _ in range(LIMIT // PAGES_A_JOB)]
            assert sum(job.counts.total for job in jobs) == LIMIT
            refused = await send(data)
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) > 0
            assert "limit is 10000" in refused.json()["detail"]
            most = len(jobs) * system.settings.window_pages
            filled = await system.table(  # each job has more than half a window here, then all
                lambda table: 2 * table.queues.get("recognize.text", {}).get("pages", 0) >= most, 60
            )
            assert filled.queues["recognize.text"]["pages"] <= most
            grown = growth(system, before)
            assert max(grown.values()) < GROWTH_MIB, grown
            os.kill(system.pid("text"), signal.SIGCONT)
            for job in jobs:
                ended = await system.finished(job, seconds=240)
                assert ended.state is JobState.DONE
                assert ended.counts.done == PAGES_A_JOB
            grown = growth(system, before)
            assert max(grown.values()) < GROWTH_MIB, grown
            await opened(await send(data))


def memory(system):
    """Resident bytes of each: of split's readers the largest; the supervisor is this process."""
    processes = {
        name: psutil.Process(system.pid(name))
        for name in ("broker", "collect", "split", "web", "text")
    }
    found = {name: process.memory_info().rss for name, process in processes.items()}
    readers = [child.memory_info().rss for child in processes["split"].children(recursive=True)]
    found["reader"] = max(READER_MIB * MIB, *readers, 0)  # there is one only while it reads
    return {**found, "supervisor": psutil.Process().memory_info().rss}


def growth(system, before):
    return {name: (now - before[name]) // MIB for name, now in memory(system).items()}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("engine", ["text", "auto"])
async def test_an_outage_of_every_engine_for_ten_minutes_fails_no_page(
    running, make_pdf, monkeypatch, engine
):
    """Shortened with all patience: two engines stop amid pages, and each that follows dies."""
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.1")
    async with running(engines="text*2", **PATIENCE) as system:
        await system.table(lambda table: len(table.of_engine("text")) == 2)
        data = make_pdf(*(f"page {n}" for n in range(30)))
        job = await system.submit(data, engine=engine)
        await system.until(job, lambda now: now.counts.done > 0)
        for name in ("text", "text-2"):
            os.kill(system.pid(name), signal.SIGSTOP)
        stopped = {system.pid("text"), system.pid("text-2")}
        until = time.monotonic() + OUTAGE_SECONDS
        died = 0
        while time.monotonic() < until:
            for pid, name in system.supervisor.pids().items():
                if name.startswith("text") and pid not in stopped:
                    os.kill(pid, signal.SIGKILL)
                    died += 1
            async with asyncio.timeout(20), system.changed:  # a table comes with each heartbeat
                await system.changed.wait()
        assert died > 2
        job = await system.finished(job, seconds=90)
        tasks = system.store.pages(job.id)
        assert job.state is JobState.DONE
        assert job.counts.done == 30
        assert not any(task.quarantined for task in tasks)
