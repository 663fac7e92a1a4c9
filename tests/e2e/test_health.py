"""Health tells the truth within three seconds: processes killed, stopped, loading, draining."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.fakes.systems import TEXT_ENGINE, pdf_of
from tests.fakes.up import answer, role_pid, up

SECONDS = 3.0
ENGINES = {"broken": "BrokenEngine", "loading": "LoadingEngine", "hungry": "HungryEngine"}
SICK = [f"{name}=tests.fakes.sick_engines:{kind}" for name, kind in ENGINES.items()]
CLASSES = ",".join([TEXT_ENGINE, *SICK])


@dataclass
class Service:
    """The running system, as a monitor sees it."""

    process: object
    url: str

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
        assert state in {row["state"] for row in rows}, rows
        assert any(words in row["message"] for row in rows if row["state"] == state), rows
        assert f'quire_problem{{part="{part}",status="{found[0]["status"]}"}} 1' in metrics
        assert f'state="{state}"' in metrics
        if part == "text":
            assert engine["status"] != "healthy"
            assert words in engine["message"]
        elif part == "collect":
            assert any(p["part"] == part for p in engine["problems"]), engine


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("health")
    names = ",".join(["text", *ENGINES])
    with up(folder, QUIRE_ENGINES=names, QUIRE_ENGINE_CLASSES=CLASSES) as (process, url):
        yield Service(process, url)


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


async def running(client: httpx.AsyncClient) -> None:
    """Until an engine runs a page."""
    async with asyncio.timeout(20):
        while True:
            workers = (await client.get("/api/v1/workers")).json()["workers"]
            if any(worker["running"] for worker in workers if worker["role"] == "engine"):
                return
            await asyncio.sleep(0.05)


async def test_a_draining_engine(service):
    await ready(service)
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
        files = {"file": ("slow.pdf", pdf_of("SLOW but moving"), "application/pdf")}
        sent = await client.post("/api/v1/jobs", files=files, data={"engine": "text"})
        assert sent.status_code == 202
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
