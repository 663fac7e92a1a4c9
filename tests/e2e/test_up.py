"""`quire up` as people run it: REST, kill -9 of every role, Ctrl-C."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.fakes.systems import ROOT, TEXT_ENGINE, pdf_of

PAGES = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def up(folder: Path, **more: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port, bus, events = free_port(), free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("QUIRE_")},
        "QUIRE_DATA": str(folder / "data"),
        "QUIRE_PORT": str(port),
        "QUIRE_BUS": f"tcp://127.0.0.1:{bus}",
        "QUIRE_BUS_EVENTS": f"tcp://127.0.0.1:{events}",
        "QUIRE_ENGINES": "text",
        "QUIRE_ENGINE_CLASSES": TEXT_ENGINE,
        "PYTHONPATH": str(ROOT),
        **more,
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", "up"], env=environment, stdout=log, stderr=log
        )
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                finally:
                    process.kill()


async def answer(client: httpx.AsyncClient, path: str, seconds: float = 30) -> httpx.Response:
    """The answer once the web front gives one; it may just be restarting."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await client.get(path)
            except httpx.TransportError:
                await asyncio.sleep(0.1)  # nothing tells another process when a port listens


def role_pid(process: subprocess.Popen[bytes], role: str) -> int:
    for child in psutil.Process(process.pid).children():
        if role in child.cmdline():
            return child.pid
    raise AssertionError(f"no process for {role}")


@pytest.mark.timeout(150)
async def test_sixty_pages_by_rest_survive_kill_9_of_every_role(tmp_path):
    book = pdf_of(*(f"page {n} is here" for n in range(1, PAGES + 1)))
    with up(tmp_path, QUIRE_TEST_NAP_SECONDS="0.1") as (process, url):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            await answer(client, "/health")
            files = {"file": ("book.pdf", book, "application/pdf")}
            submitted = await client.post("/api/v1/jobs", files=files, data={"engine": "text"})
            assert submitted.status_code == 202, submitted.text
            [job] = submitted.json()["jobs"]
            path = f"/api/v1/jobs/{job['id']}"
            kills = iter(enumerate(("text", "broker", "collect", "web", "split")))
            number, role = next(kills)
            async with asyncio.timeout(120):
                while True:
                    job = (await answer(client, path)).json()
                    if job["state"] not in {"queued", "running"}:
                        break
                    if role and job["counts"]["done"] >= 3 + 8 * number:
                        os.kill(role_pid(process, role), signal.SIGKILL)
                        number, role = next(kills, (0, ""))
                    await asyncio.sleep(0.1)
            assert not role, f"{role} was never killed"
            assert job["state"] == "done"
            assert job["counts"]["done"] == PAGES
            text = (await answer(client, f"{path}/result.txt")).text
            assert all(text.count(f"page {n} is here") == 1 for n in range(1, PAGES + 1))
            pages = (await answer(client, f"{path}/pages")).json()["pages"]
            assert sorted(page["page"] for page in pages) == list(range(1, PAGES + 1))


@pytest.mark.timeout(90)
async def test_ctrl_c_leaves_no_process_and_the_history_stays(tmp_path):
    for turn in (1, 2):
        with up(tmp_path) as (process, url):
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                await answer(client, "/health")
                if turn == 1:
                    files = {"file": ("one.pdf", pdf_of("only words"), "application/pdf")}
                    answered = await client.post("/api/v1/jobs", files=files)
                    assert answered.status_code == 202, answered.text
                jobs = (await answer(client, "/api/v1/jobs")).json()["jobs"]
                assert [job["document"]["name"] for job in jobs] == ["one.pdf"]
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0
            assert [child for child in family if child.is_running()] == []
