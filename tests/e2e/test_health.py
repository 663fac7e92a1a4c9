"""Health tells the truth within three seconds: processes killed, stopped, loading, draining."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from shared.settings import MIB
from tests.fakes.disks import fill, small_disk
from tests.fakes.systems import pdf_of
from tests.fakes.up import answer, role_pid, up
from web.problems import BEHIND_SECONDS

SECONDS = 3.0
ENGINES = {"broken": "BrokenEngine", "loading": "LoadingEngine", "hungry": "HungryEngine"}
SICK = [f"{name}=tests.fakes.sick_engines:{kind}" for name, kind in ENGINES.items()]
CLASSES = ",".join(["text=tests.fakes.sick_engines:LeakyEngine", *SICK])
DISK_MIB = 96
FREE_MIB = 48  # of it, under which the disk counts as nearly full


@dataclass
class Service:
    """The running system, as a monitor sees it."""

    process: object
    url: str
    disk: Path

    def pid(self, role: str) -> int:
        return role_pid(self.process, role)

    def send(self, role: str, number: int) -> int:
        pid = self.pid(role)
        os.kill(pid, number)
        return pid

    async def sees(self, part: str, statuses: set[str], seconds: float = SECONDS) -> dict:
        """/health once it has this part in one of these states; no later than that."""
        key = part if part in {"broker", "split", "collect"} else f"{part}_status"
        started = time.monotonic()
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            while True:
                shown = (await client.get("/health")).json()
                if shown.get(key) in statuses:
                    return shown
                assert time.monotonic() - started < seconds, shown
                await asyncio.sleep(0.05)

    async def everywhere(self, part: str, state: str, words: str, seconds: float = SECONDS) -> None:
        """Each place says it: health, the engine's health, the processes and the metrics."""
        started = time.monotonic()
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            while True:
                health = (await client.get("/health")).json()
                said = [problem for problem in health["problems"] if problem["part"] == part]
                found = [problem for problem in said if words in problem["message"]]
                if found:
                    break
                assert time.monotonic() - started < seconds, health
                await asyncio.sleep(0.05)
            listed = await client.get("/api/v1/workers")
            engine = (await client.get("/health/text")).json()
            metrics = (await client.get("/metrics")).text
        assert health["status"] != "healthy"
        rows = [w for w in listed.json()["workers"] if part in w["service"]]
        alike = {state, "restarting"} if state == "starting" else {state}
        found_rows = [row for row in rows if row["state"] in alike]
        assert any(words in row["message"] for row in found_rows), rows
        assert f'quire_problem{{part="{part}",status="{found[0]["status"]}"}} 1' in metrics
        assert any(f'state="{each}"' in metrics for each in alike)
        if part == "text":
            assert engine["status"] != "healthy"
            assert words in engine["message"]
        elif part == "collect":
            assert any(p["part"] == part for p in engine["problems"]), engine

    async def told(self, part: str, words: str, seconds: float = SECONDS) -> None:
        """As `everywhere`, of a part that is no process, or one that is at work."""
        started = time.monotonic()
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            while True:
                shown = [
                    (await client.get(path)).json()["problems"]
                    for path in ("/health", "/health/text", "/api/v1/workers")
                ]
                metrics = (await client.get("/metrics")).text
                said = [any(_is_of(problem, part, words) for problem in each) for each in shown]
                if all(said) and f'quire_problem{{part="{part}",status="degraded"}} 1' in metrics:
                    return
                assert time.monotonic() - started < seconds, shown
                await asyncio.sleep(0.05)

    async def send_page(self, text: str) -> str:
        """The id of a new job."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            files = {"file": ("page.pdf", pdf_of(text), "application/pdf")}
            sent = await client.post("/api/v1/jobs", files=files, data={"engine": "text"})
        assert sent.status_code == 202, sent.text
        return str(sent.json()["jobs"][0]["id"])

    async def until_page(self, job: str, state: str, seconds: float = 20) -> dict:
        """The only page of a job, once the job is so."""
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(base_url=self.url, trust_env=False) as client,
        ):
            while True:
                if (await client.get(f"/api/v1/jobs/{job}")).json()["state"] == state:
                    break
                await asyncio.sleep(0.05)
            (page,) = (await client.get(f"/api/v1/jobs/{job}/pages")).json()["pages"]
            return dict(page)


def _is_of(problem: dict, part: str, words: str) -> bool:
    return problem["part"] == part and words in problem["message"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("health")
    names = ",".join(["text", *ENGINES])
    with small_disk(folder / "disk", DISK_MIB) as disk:
        more = {"QUIRE_ENGINES": names, "QUIRE_ENGINE_CLASSES": CLASSES}
        more |= {"QUIRE_DATA": str(disk / "data"), "QUIRE_MIN_FREE_MIB": str(FREE_MIB)}
        with up(folder, **more) as (process, url):
            yield Service(process, url, disk)


async def ready(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
        await answer(client, "/health")
    for part in ("text", "broker", "collect", "split"):
        await service.sees(part, {"healthy"}, 30)


async def test_engines_that_load_lack_memory_or_never_come_up(service):
    await ready(service)
    gpu = "The GPU has 2 of 16 GiB free: end what uses it."
    for part, state, words in (  # from their start on: a process takes its time to say anything
        ("loading", "loading", "loading is loading."),
        ("hungry", "blocked", gpu),
        ("broken", "restarting", "broken ended"),
    ):
        await service.everywhere(part, state, words, 30)
    shown = await service.sees("text", {"healthy"})
    assert shown["status"] == "degraded"
    assert shown["deepseek_status"] == "disabled"


async def test_a_dead_engine(service):
    await ready(service)
    service.send("text", signal.SIGKILL)
    shown = await service.sees("text", {"unhealthy"})
    assert any(p["part"] == "text" and p["message"] for p in shown["problems"])
    await service.sees("text", {"healthy"}, 30)


async def test_a_hung_engine(service):
    await ready(service)
    pid = service.send("text", signal.SIGSTOP)
    try:
        await service.sees("text", {"unhealthy"})
        await service.everywhere("text", "silent", "said nothing for")
    finally:
        os.kill(pid, signal.SIGCONT)
    await service.sees("text", {"healthy"}, 10)


async def running(client: httpx.AsyncClient, *, at_all: bool = True) -> None:
    """Until an engine runs a page, or none does."""
    async with asyncio.timeout(20):
        while True:
            workers = (await client.get("/api/v1/workers")).json()["workers"]
            runs = any(worker["running"] for worker in workers if worker["role"] == "engine")
            if runs == at_all:
                return
            await asyncio.sleep(0.05)


async def test_a_draining_engine(service):
    await ready(service)
    await service.send_page("SLOW but moving")
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
        await running(client)
    service.send("text", signal.SIGTERM)
    await service.sees("text", {"degraded"})
    await service.everywhere("text", "draining", "takes no more")
    await service.sees("text", {"healthy"}, 30)


async def test_a_killed_broker(service):
    await ready(service)
    service.send("broker", signal.SIGKILL)
    shown = await service.sees("broker", {"unhealthy", "degraded"})
    (problem,) = [found for found in shown["problems"] if found["part"] == "broker"]
    assert "started anew" in problem["message"] or "does not answer" in problem["message"]
    await service.sees("broker", {"healthy"}, 30)


async def test_a_stopped_collector(service):
    await ready(service)
    pid = service.send("collect", signal.SIGSTOP)
    try:
        await service.sees("collect", {"unhealthy"})
        await service.everywhere("collect", "silent", "said nothing for")
    finally:
        os.kill(pid, signal.SIGCONT)
    await service.sees("collect", {"healthy"}, 10)


async def test_a_collector_that_is_behind(service):
    """It lives, but another program holds the database."""
    await ready(service)
    job = await service.send_page("SLOW but moving")
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
        await running(client)
    with sqlite3.connect(service.disk / "data" / "quire.db", isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
            await running(client, at_all=False)
        # the answer waits from now on; two seconds may be no more than a slow disk
        await service.told("collect", "Collect is behind: 1 answers wait", BEHIND_SECONDS + SECONDS)
        database.execute("ROLLBACK")
    database.close()
    assert (await service.until_page(job, "done"))["state"] == "done"
    await service.sees("collect", {"healthy"})


async def test_a_disk_that_is_nearly_full(service):
    await ready(service)
    filler = fill(service.disk, leave=(FREE_MIB - 8) * MIB)
    await service.told("disk", f"uploads are refused below {FREE_MIB} MiB")
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
        files = {"file": ("page.pdf", pdf_of("no room"), "application/pdf")}
        sent = await client.post("/api/v1/jobs", files=files, data={"engine": "text"})
        assert (sent.status_code, int(sent.headers["Retry-After"]) > 0) == (429, True)
        filler.unlink()
        started = time.monotonic()
        while True:
            problems = (await client.get("/health")).json()["problems"]
            if "disk" not in {problem["part"] for problem in problems}:
                return
            assert time.monotonic() - started < SECONDS, problems
            await asyncio.sleep(0.05)


async def test_an_engine_that_runs_out_of_memory_amid_a_page(service):
    await ready(service)
    job = await service.send_page("LEAK")
    await service.everywhere("text", "starting", "ran out of memory")
    page = await service.until_page(job, "done")
    assert (page["state"], page["crashes"]) == ("done", 0)
    (tried,) = page["history"]
    assert tried["reason_type"] == "out_of_memory"
    await service.sees("text", {"healthy"}, 10)
