"""`quire up` with engines on GPUs, used over REST as people use it; what it says is kept."""

import contextlib
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.up import up

POLL_SECONDS = 0.25  # REST is asked; nothing tells
Workers = list[dict[str, Any]]


@dataclass
class RestSystem:
    """One running quire. `kept` is where snapshots go, `log` what its processes wrote."""

    client: httpx.Client
    kept: Path
    log: Path

    def get(self, path: str) -> Any:
        """The JSON there; tried again while the web front starts."""
        until = time.monotonic() + 30
        while True:
            try:
                return self.client.get(path).json()
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
                time.sleep(POLL_SECONDS)

    def workers(self, engine: str) -> Workers:
        """The processes of an engine, in the order of their GPUs."""
        listed = self.get("/api/v1/workers")["workers"]
        found = [worker for worker in listed if worker["engine"] == engine]
        return sorted(found, key=lambda worker: (worker["gpu_number"] or 0, worker["worker"]))

    def when(self, engine: str, reached: Callable[[Workers], bool], seconds: float = 70) -> Workers:
        """Its processes once it is so. TimeoutError with the last that was seen."""
        until = time.monotonic() + seconds
        while not reached(found := self.workers(engine)):
            if time.monotonic() > until:
                raise TimeoutError(json.dumps(found)[:3000])
            time.sleep(POLL_SECONDS)
        return found

    def submit(self, books: list[bytes], engine: str, options: Mapping[str, Any]) -> list[str]:
        """A job for each book; their ids."""
        data = {"engine": engine, "options": json.dumps(dict(options))}
        ids: list[str] = []
        for number, book in enumerate(books):
            files = {"file": (f"{number}.pdf", book, "application/pdf")}
            answer = self.client.post("/api/v1/jobs", files=files, data=data)
            assert answer.status_code == 202, answer.text
            ids += [job["id"] for job in answer.json()["jobs"]]
        return ids

    def done(self, ids: list[str]) -> tuple[int, bool]:
        """How many pages of these jobs are done, and whether all jobs have ended."""
        jobs = [self.get(f"/api/v1/jobs/{name}") for name in ids]
        ended = all(job["state"] not in {"queued", "running"} for job in jobs)
        return sum(job["counts"]["done"] for job in jobs), ended

    def finished(self, ids: list[str], seconds: float) -> list[tuple[float, int]]:
        """(time, pages done) again and again until all jobs have ended."""
        until, seen = time.monotonic() + seconds, []
        while True:
            count, ended = self.done(ids)
            seen.append((time.monotonic(), count))
            if ended:
                return seen
            if time.monotonic() > until:
                raise TimeoutError(f"{count} pages after {seconds} s")
            time.sleep(POLL_SECONDS)

    def readers(
        self, ids: list[str], pages_each: int, *, killed: bool = False
    ) -> tuple[Counter[str], int]:
        """Who has read how many, and how many of the pages were with a process that crashed.

        AssertionError unless every page is done, and done once; none may have crashed unless
        something was `killed`. A model that draws its tokens may end a page with the first: such a
        page was asked again.
        """
        found: Counter[str] = Counter()
        crashed = 0
        for name in ids:
            listed = self.get(f"/api/v1/jobs/{name}/pages")["pages"]
            assert [page["page"] for page in listed] == list(range(1, pages_each + 1))
            for page in listed:
                stumbles = [a["outcome"] for a in page["history"] if a["finding"] != "empty"]
                assert page["state"] == "done", page
                assert set(stumbles) <= ({"crashed"} if killed else set()), page
                crashed += "crashed" in stumbles
            found.update(str(page["worker"]) for page in listed)
        return found, crashed

    def keep(self, name: str) -> list[tuple[int, str]]:
        """Save what the API and nvidia-smi say now; (pid, uuid of its GPU) by nvidia-smi."""
        for path in ("api/v1/workers", "health", "health/deepseek", "api/v1/engines"):
            file = self.kept / f"{name}.{path.replace('/', '-')}.json"
            file.write_text(json.dumps(self.get(f"/{path}"), indent=1) + "\n", encoding="utf-8")
        table = smi("--query-compute-apps=pid,gpu_uuid,used_memory", "--format=csv,noheader")
        (self.kept / f"{name}.nvidia-smi.txt").write_text(f"{smi('-L')}\n{table}", encoding="utf-8")
        rows = [line.split(", ") for line in table.splitlines() if line[:1].isdigit()]
        return [(int(row[0]), row[1]) for row in rows]

    def said(self, text: str) -> list[str]:
        """Lines of the log with this in them."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if text in line]


@contextlib.contextmanager
def rest_system(folder: Path, name: str, kept: Path, **settings: str) -> Iterator[RestSystem]:
    """Start one with these settings; its log is kept, its data is not."""
    here = folder / name
    here.mkdir(parents=True)
    variables = {f"QUIRE_{key.upper()}": value for key, value in settings.items()}
    try:
        with (
            up(here, QUIRE_ENGINE_CLASSES="", **variables) as (_, url),
            httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
        ):
            yield RestSystem(client, kept, here / "log")
    finally:
        shutil.copy(here / "log", kept / f"{name}.log")
        shutil.rmtree(here)


def smi(*arguments: str) -> str:
    """What nvidia-smi prints; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return ""
    return subprocess.run(
        ["nvidia-smi", *arguments], capture_output=True, text=True, check=True
    ).stdout
