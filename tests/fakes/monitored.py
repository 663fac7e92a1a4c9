"""A running system as a monitor sees it: four places that must say the same of what is wrong."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.fakes.systems import pdf_of
from tests.fakes.up import answer, role_pid

SECONDS = 3.0  # in which each place must tell of what has happened
PATIENCE = 40.0  # for what happens at all
PARTS = frozenset({"broker", "split", "collect"})  # those that have a key of their own in /health
PLACES = ("/health", "/health/{engine}", "/api/v1/workers", "/metrics")


@dataclass
class Service:
    """The running system."""

    process: object
    url: str
    disk: Path
    log: Path

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, trust_env=False)

    def pid(self, role: str) -> int:
        return role_pid(self.process, role)

    def send(self, role: str, number: int) -> int:
        pid = self.pid(role)
        os.kill(pid, number)
        return pid

    async def sees(self, part: str, statuses: set[str], seconds: float = PATIENCE) -> dict:
        """/health once it has this part in one of these states; no later than that."""
        key = part if part in PARTS else f"{part}_status"
        async with asyncio.timeout(seconds), self.client() as client:
            while True:
                shown = (await answer(client, "/health")).json()
                if shown.get(key) in statuses:
                    return shown
                await asyncio.sleep(0.05)

    async def everywhere(
        self,
        part: str,
        words: str | tuple[str, ...],
        state: str | tuple[str, ...] = (),
        *,
        since: Callable[[], bool] = lambda: True,
    ) -> None:
        """Each place tells of the part, in one of these sentences, within 3 s of the event.

        state: of the process in question; () for a part that is none, or that is at work.
        since: whether the event has happened; by default it has, just now.
        """
        sentences = (words,) if isinstance(words, str) else words
        states = (state,) if isinstance(state, str) else state
        engine = "text" if part in {*PARTS, "disk"} else part
        seen: dict[str, float] = {}
        happened: float | None = None
        until = time.monotonic() + PATIENCE
        async with self.client() as client:
            while True:
                now = time.monotonic()
                happened = now if happened is None and since() else happened
                for place in PLACES:
                    reply = await client.get(place.format(engine=engine))
                    if place not in seen and tells(reply, place, part, sentences, states):
                        seen[place] = time.monotonic()
                if happened is not None and len(seen) == len(PLACES):
                    late = {at: when - happened for at, when in seen.items()}
                    assert max(late.values()) <= SECONDS, late
                    return
                late_at = until if happened is None else happened + SECONDS
                assert now < late_at, (happened, seen, reply.text[:4000])
                await asyncio.sleep(0.03)

    async def send_page(self, text: str) -> str:
        """The id of a new job."""
        async with self.client() as client:
            files = {"file": ("page.pdf", pdf_of(text), "application/pdf")}
            sent = await client.post("/api/v1/jobs", files=files, data={"engine": "text"})
        assert sent.status_code == 202, sent.text
        return str(sent.json()["jobs"][0]["id"])

    async def until_page(self, job: str, state: str) -> dict:
        """The only page of a job, once the job is so."""
        async with asyncio.timeout(PATIENCE), self.client() as client:
            while (await client.get(f"/api/v1/jobs/{job}")).json()["state"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            (page,) = (await client.get(f"/api/v1/jobs/{job}/pages")).json()["pages"]
            return dict(page)

    async def until_running(self, *, at_all: bool = True) -> None:
        """Until an engine runs a page, or none does."""
        async with asyncio.timeout(PATIENCE), self.client() as client:
            while True:
                workers = (await client.get("/api/v1/workers")).json()["workers"]
                runs = any(worker["running"] for worker in workers if worker["role"] == "engine")
                if runs == at_all:
                    return
                await asyncio.sleep(0.05)

    async def ready(self) -> None:
        """All that should work does."""
        for part in ("text", "broker", "collect", "split"):
            await self.sees(part, {"healthy"})

    def end(self, role: str) -> None:
        self.send(role, signal.SIGKILL)


def tells(
    reply: httpx.Response, place: str, part: str, sentences: tuple[str, ...], states: tuple
) -> bool:
    """Whether this place says it."""
    if place == "/metrics":
        told = f'quire_problem{{part="{part}",status="' in reply.text
        return told and (not states or any(f'state="{state}"' in reply.text for state in states))
    shown = reply.json()
    problems = [problem for problem in shown["problems"] if problem["part"] == part]
    said = any(words in problem["message"] for problem in problems for words in sentences)
    if place == "/health/{engine}" and part not in {*PARTS, "disk"}:
        return shown["status"] != "healthy" and any(
            words in shown["message"] for words in sentences
        )
    if place == "/health":
        return said and shown["status"] != "healthy"
    if place == "/api/v1/workers" and states:
        rows = [row for row in shown["workers"] if part in row["service"].split(".")]
        alike = [row["message"] for row in rows if row["state"] in states]
        return said and any(words in message for message in alike for words in sentences)
    return said
