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
    """A client as people write them: it asks again until it is answered, and wants each result."""

    def __init__(self, client: httpx.AsyncClient, make_pdf) -> None:
        self._client, self._make_pdf = client, make_pdf
        self.read: dict[str, str] = {}
        self.retries = 0
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            text = f"upload {len(self.read) + 1} is here"
            files = {"file": ("a.pdf", self._make_pdf(text), "application/pdf")}
            sent = await self._ask("POST", "", files=files, data={"engine": "text"})
            job = str(sent["jobs"][0]["id"])
            shown = sent["jobs"][0]
            while shown["state"] in {"queued", "running"}:
                await asyncio.sleep(0.1)  # as a script does
                shown = await self._ask("GET", f"/{job}")
            assert (shown["state"], shown["counts"]["done"]) == ("done", 1)
            self.read[job] = text

    async def _ask(self, method: str, path: str, **content) -> dict:
        while True:
            try:
                reply = await self._client.request(method, f"/api/v1/jobs{path}", **content)
            except httpx.TransportError:
                reply = None  # the front is away, and tells nobody when it is back
            if reply is not None and reply.status_code != 503:  # that is said as it stops
                assert reply.status_code in {200, 202}, reply.text
                return dict(reply.json())
            self.retries += 1
            await asyncio.sleep(0.05)


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
        uploads = asyncio.ensure_future(uploader.run())
        for number, name in enumerate(ROLES):
            await system.until(book, lambda now, n=number: now.counts.done >= 4 + 9 * n)
            before, read = system.pid(name), len(uploader.read)
            os.kill(before, signal.SIGTERM)  # it drains
            async with asyncio.timeout(40):
                while before in system.supervisor.pids() or len(uploader.read) < read + 2:
                    assert not uploads.done(), await uploads
                    await asyncio.sleep(0.05)  # it is gone, and all goes on
        uploader.stopping = True
        await uploads
        assert uploader.retries > 0  # while the front was away
        for job_id, text in {book.id: "", **uploader.read}.items():
            job = await system.finished(system.store.job(job_id), seconds=90)
            assert job.state is JobState.DONE
            tasks = system.store.pages(job_id)
            assert all(task.state is PageState.DONE and task.crashes == 0 for task in tasks)
            assert text in system.store.blobs.read(job.artifacts["txt"]).decode()
        begun = sorted(text for _, text in reads_in(tmp_path))
        assert begun == sorted([*texts, *uploader.read.values()])
        assert not any("killed" in line or "is lost" in line for line in system.log)
