"""With no engine at work, uploads cost no memory in any process; then they are refused in words."""

import os
import signal

import httpx
import psutil
import pytest

from shared.states import JobState
from tests.fakes.web_system import free_ports

MIB = 1024 * 1024
LIMIT = 10_000  # pages that may be unfinished
PAGES_A_JOB = 500
GROWTH_MIB = 40  # of any process, over what it has with a tenth of the pages


@pytest.mark.timeout(240)
async def test_ten_thousand_pages_without_an_engine_are_taken_then_refused_then_worked_off(
    running, make_pdf
):
    [port] = free_ports(1)
    flags = {"port": port, "max_queued_pages": LIMIT, "hang_seconds": 600.0}
    async with running(web=True, **flags) as system:
        client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20.0
        )
        async with client:
            await system.table(lambda table: len(table.of_engine("text")) == 1)
            os.kill(system.pid("text"), signal.SIGSTOP)
            names = ("broker", "collect", "split", "web")
            jobs, before, answer = [], {}, None
            for number in range(1, 2 * LIMIT // PAGES_A_JOB):
                data = make_pdf(*(f"job {number} page {n}" for n in range(PAGES_A_JOB)))
                files = {"file": ("a.pdf", data, "application/pdf")}
                answer = await client.post("/api/v1/jobs", files=files, data={"engine": "text"})
                if answer.status_code != 202:
                    break
                job = system.store.job(answer.json()["jobs"][0]["id"])
                jobs.append(await system.until(job, lambda now: now.counts.total > 0))
                if number == 2:
                    before = {name: rss(system, name) for name in names}
            assert answer is not None
            assert answer.status_code == 429
            assert int(answer.headers["Retry-After"]) > 0
            assert "limit is 10000" in answer.json()["detail"]
            assert sum(job.counts.total for job in jobs) == LIMIT
            grown = {name: (rss(system, name) - before[name]) // MIB for name in names}
            assert max(grown.values()) < GROWTH_MIB, grown
            held = system.bus.table.queues["recognize.text"]
            assert held["pages"] <= len(jobs) * system.settings.window_pages
            for job in jobs[1:]:  # the rest is worked off in the test of the outage
                system.store.cancel_job(job.id)
                await system.bus.cancel(job.id)
            os.kill(system.pid("text"), signal.SIGCONT)
            first = await system.finished(jobs[0], seconds=120)
            assert first.state is JobState.DONE
            assert first.counts.done == PAGES_A_JOB
            assert (await client.post("/api/v1/jobs", files=files)).status_code == 202


def rss(system, name):
    return psutil.Process(system.pid(name)).memory_info().rss


@pytest.mark.timeout(120)
async def test_an_outage_of_every_engine_fails_no_page(running, make_pdf):
    """Of ten minutes, shortened: both engines end, and end again, more often than a page may."""
    async with running(engines="text*2") as system:
        await system.table(lambda table: len(table.of_engine("text")) == 2)
        system.kill("text")
        system.kill("text-2")
        job = await system.submit(make_pdf(*(f"page {n}" for n in range(30))))
        for _ in range(3):
            dead = set(system.supervisor.pids())
            await system.until(job, lambda _, d=dead: not d.issuperset(system.supervisor.pids()))
            for pid, name in system.supervisor.pids().items():
                if name.startswith("text"):
                    os.kill(pid, signal.SIGKILL)
        job = await system.finished(job, seconds=90)
        tasks = system.store.pages(job.id)
        assert job.state is JobState.DONE
        assert job.counts.done == 30
        assert not any(task.quarantined for task in tasks)
