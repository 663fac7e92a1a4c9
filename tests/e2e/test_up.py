"""`quire up` as people run it: REST, kill -9 of every role, Ctrl-C."""

import asyncio
import os
import signal
import subprocess
import sys

import httpx
import psutil
import pytest

from tests.fakes.systems import pdf_of
from tests.fakes.up import answer, role_pid, up

PAGES = 60


def follow(job_id: str, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy", "status", job_id, "--wait", "--server", url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


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
                    [job] = answered.json()["jobs"]
                    told = await asyncio.to_thread(follow, job["id"], url)
                    assert (told.returncode, told.stdout) == (0, "")
                    assert f"{job['id']}  done" in told.stderr
                jobs = (await answer(client, "/api/v1/jobs")).json()["jobs"]
                assert [job["document"]["name"] for job in jobs] == ["one.pdf"]
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0
            assert [child for child in family if child.is_running()] == []
