"""Everything that breaks parsers, uploaded one by one: it works or fails with a sentence."""

import asyncio
import csv
import statistics
from typing import Any

import httpx
import pytest

from shared.states import JobState
from tests.fakes.memory_watch import MemoryWatch
from tests.fakes.up import answer
from tests.fakes.web_system import free_ports

READER_MIB = 1024
# Of any process at any moment: what this engine has after good pages is 1 GiB, a bomb many.
MEMORY_MIB = 2048
PARTS = ("broker", "split", "collect", "store", "disk")
# From a file's upload to its end, with all the others in the queue.
SECONDS = 500


@pytest.mark.timeout(600)
async def test_every_hostile_file_ends_and_the_service_stays_healthy(corpus, running, make_pdf):
    folder = corpus / "hostile"
    with (folder / "manifest.csv").open(newline="") as manifest:
        names = [row["path"].removeprefix("hostile/") for row in csv.DictReader(manifest)]
    [port] = free_ports(1)
    limits = {
        "engines": "pymupdf",
        "port": port,
        "page_seconds": 4.0,
        "open_seconds": 10.0,
        "reader_memory_mib": READER_MIB,
        "hang_seconds": 20.0,
        "crash_attempts": 2,
        "max_pages": 50,
    }
    url = f"http://127.0.0.1:{port}"
    async with (
        running(web=True, **limits) as system,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20.0) as client,
    ):
        await answer(client, "/health")
        await system.table(
            lambda table: any(w.state == "ready" for w in table.of_engine("pymupdf"))
        )

        started = {
            name: system.pid(name) for name in ("broker", "collect", "split", "web", "pymupdf")
        }

        def name_of(pid: int) -> str | None:
            children = list(system.supervisor._children.values())
            return next((child.spec.name for child in children if child.pid == pid), None)

        async def upload(name: str, data: bytes, **fields: str) -> httpx.Response:
            files = {"file": (name, data)}
            return await client.post("/api/v1/jobs", files=files, data=fields)

        with MemoryWatch(name_of) as memory:
            watching = asyncio.ensure_future(watched(client))
            jobs, refused = {}, {}
            for name in names:
                data = (folder / name).read_bytes()
                reply = await upload(name, data, engine="pymupdf", pages="1-4")
                if reply.status_code == 202:
                    jobs[name] = system.store.job(reply.json()["jobs"][0]["id"])
                else:
                    refused[name] = reply
            for name, reply in refused.items():
                assert 400 <= reply.status_code < 500, (name, reply.text)
                assert len(reply.json()["detail"]) > 15, name
            for name, job in jobs.items():
                ended = await system.finished(job, seconds=SECONDS)
                shown = (await client.get(f"/api/v1/jobs/{job.id}")).json()
                assert ended.state in {JobState.DONE, JobState.FAILED}, name
                if ended.state is JobState.FAILED and ended.failure is not None:
                    assert len(shown["failure"]["message"]) > 15, name
                for task in system.store.pages(job.id):
                    assert task.state.is_final, name
                    assert task.state.value == "done" or task.reason, (name, task.page)
            assert len(jobs) > len(names) / 2
            good = await upload("good.pdf", make_pdf("all is well"), engine="pymupdf")
            last = await system.finished(system.store.job(good.json()["jobs"][0]["id"]))
            assert last.state is JobState.DONE
            text = await client.get(f"/api/v1/jobs/{last.id}/result.txt")
            assert "all is well" in text.text
            watching.cancel()
            looks = await watching
        for look in looks:
            assert {look[part] for part in PARTS} == {"healthy"}, look
        # An engine that a page holds for seconds is said to be silent, until it goes on.
        assert looks[-1]["status"] == "healthy"
        assert statistics.mode(look["status"] for look in looks) == "healthy"
        assert {name: system.pid(name) for name in started} == started  # none ended
        peaks = memory.peaks
        assert {*started, "split's child"} <= set(peaks)
        over = {name: mib for name, mib in peaks.items() if mib > MEMORY_MIB}
        assert not over, peaks
        assert peaks["split's child"] <= READER_MIB, peaks


async def watched(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """What the service says of itself, each second, until this is cancelled."""
    looks = []
    try:
        while True:
            looks.append((await client.get("/health", timeout=10)).json())
            await asyncio.sleep(1)
    except asyncio.CancelledError:
        looks.append((await client.get("/health")).json())
        return looks
