"""Every role is restarted while pages flow: nothing is lost, nothing finished is done again."""

import asyncio
import os
import signal

import httpx
import pytest

from shared.states import JobState, PageState
from tests.fakes.chaos import READS, reads_in
from tests.fakes.web_system import free_ports

ROLES = ("text", "text-2", "split", "collect", "broker", "web")
PAGES = 9 * len(ROLES) + 35


class Uploader:
    """A client as people write them: it sends pages all the time, each until it is taken."""

    def __init__(self, client: httpx.AsyncClient, make_pdf) -> None:
        self._client, self._make_pdf = client, make_pdf
        self.taken: dict[str, str] = {}
        self.refused = 0
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            text = f"upload {len(self.taken) + 1} is here"
            data = self._make_pdf(text)
            while (job := await self._send(data)) is None:
                self.refused += 1
                await asyncio.sleep(0.05)  # the front is away, and tells nobody when it is back
            self.taken[job] = text
            await asyncio.sleep(0.2)  # beside the book, not instead of it

    async def _send(self, data: bytes) -> str | None:
        files = {"file": ("a.pdf", data, "application/pdf")}
        try:
            reply = await self._client.post("/api/v1/jobs", files=files, data={"engine": "text"})
        except httpx.TransportError:
            return None
        if reply.status_code == 202:
            return str(reply.json()["jobs"][0]["id"])
        assert reply.status_code == 503, reply.text  # it is just stopping
        return None


@pytest.mark.timeout(180)
async def test_a_rolling_restart_of_every_role_loses_and_repeats_nothing(
    running, make_pdf, monkeypatch, tmp_path
):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.05")
    monkeypatch.setenv(READS, str(tmp_path / "reads"))
    [port] = free_ports(1)
    flags = {
        "engines": "text*2",
        "engine_classes": "text=tests.fakes.chaos:CountedEngine",
        "silence_seconds": 20.0,  # a busy machine keeps a process silent for longer than 3 s
        "port": port,
    }
    url = f"http://127.0.0.1:{port}"
    async with (
        running(web=True, **flags) as system,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20.0) as client,
    ):
        texts = [f"page {n} is here" for n in range(1, PAGES + 1)]
        book = await system.submit(make_pdf(*texts))
        uploader = Uploader(client, make_pdf)
        uploads = asyncio.create_task(uploader.run())
        for number, name in enumerate(ROLES):
            await system.until(book, lambda now, n=number: now.counts.done >= 4 + 9 * n)
            before, taken = system.pid(name), len(uploader.taken)
            os.kill(before, signal.SIGTERM)  # it drains
            async with asyncio.timeout(40):
                while before in system.supervisor.pids() or len(uploader.taken) < taken + 2:
                    assert not uploads.done(), await uploads
                    await asyncio.sleep(0.05)  # it is gone, and uploads are taken again
        uploader.stopping = True
        await uploads
        assert uploader.refused > 0  # while the front was away
        for job_id, text in {book.id: "", **uploader.taken}.items():
            job = await system.finished(system.store.job(job_id), seconds=90)
            assert job.state is JobState.DONE
            tasks = system.store.pages(job_id)
            assert all(task.state is PageState.DONE and task.crashes == 0 for task in tasks)
            assert text in system.store.blobs.read(job.artifacts["txt"]).decode()
        begun = sorted(text for _, text in reads_in(tmp_path))
        assert begun == sorted([*texts, *uploader.taken.values()])
        assert not any("killed" in line for line in system.log)
