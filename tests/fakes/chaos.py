"""A whole system under random kill -9 and SIGSTOP, and the account of what became of each page.

The supervisor, which is this process, is spared; everything that it starts is not.
"""

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.states import JobState, PageState
from tests.fakes.engines import TextEngine
from tests.fakes.systems import System, pdf_of, run_system
from tests.fakes.web_system import free_ports

ENGINES = 3
CREDIT = 2  # one running and one prefetched, for each engine process
POISON = "CRASH"
READS = "QUIRE_TEST_READS"
_HOW_IT_ENDED = re.compile(r"(died of signal|ended with exit code) \d+")
STOP_SECONDS = (0.3, 6.0)  # under and over the silence that counts as lost


class CountedEngine(TextEngine):
    """Writes a line for each page that it begins: its process, and the page's first line."""

    def _answer(self, text: str, *args: Any) -> Any:
        line = f"{os.getpid()} {text.splitlines()[0] if text else ''}\n"
        descriptor = os.open(os.environ[READS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
        return super()._answer(text, *args)


def reads_in(folder: Path) -> list[tuple[int, str]]:
    """(process, page) of every page that an engine began, in this order for each process."""
    log = folder / "reads"
    lines = log.read_text().splitlines() if log.exists() else []
    parts = [line.partition(" ") for line in lines]
    return [(int(pid), text) for pid, _, text in parts]


@dataclass
class Account:
    """What happened. `wrong` is empty when every promise was kept.

    `struck` are the engine processes that were killed or stopped; `charged` the crashes that count
    against pages which are no poison: each must be one that a struck process was reading.
    """

    seconds: float = 0.0
    settled_seconds: float = 0.0
    jobs: int = 0
    pages: int = 0
    poison: int = 0
    quarantined: int = 0
    refused_uploads: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    charged: int = 0
    struck: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    @property
    def extra_reads(self) -> int:
        """Pages read beside the one time each; a poison page is begun three times by rule."""
        return self.reads - self.pages - 2 * self.quarantined

    @property
    def allowed_extra_reads(self) -> int:
        """Twice what the killed and stopped processes could have had in hand."""
        events = sum(self.kills.values()) + sum(self.stops.values())
        return 2 * events * CREDIT

    def lines(self) -> list[str]:
        """The figures as text."""
        return [
            f"{self.seconds:.0f} s of chaos, all settled {self.settled_seconds:.1f} s after it",
            (
                f"{self.jobs} jobs, {self.pages} pages, of them {self.poison} poison; "
                f"{self.refused_uploads} uploads broken by the chaos and sent again"
            ),
            f"kill -9: {dict(sorted(self.kills.items()))}",
            f"SIGSTOP: {dict(sorted(self.stops.items()))}",
            (
                f"quarantined: {self.quarantined}; charged to other pages: {self.charged} crashes, "
                f"each to one that a process of {len(self.struck)} struck ones was reading"
            ),
            f"reads: {self.reads}, extra {self.extra_reads} of {self.allowed_extra_reads} allowed",
            *(f"WRONG: {line}" for line in self.wrong),
        ]


async def run_chaos(
    folder: Path,
    *,
    seconds: float,
    pages_a_job: int = 20,
    jobs_open: int = 8,
    every_seconds: float = 1.0,
    poison_every: int = 10,
    seed: int = 1,
) -> Account:
    """Upload, kill and stop for so long, wait until all is settled, and count."""
    rng = random.Random(seed)
    account = Account()
    os.environ[READS] = str(folder / "reads")
    [port] = free_ports(1)
    flags: dict[str, Any] = {
        "engines": f"text*{ENGINES}",
        "engine_classes": "text=tests.fakes.chaos:CountedEngine",
        "port": port,
        "data": folder / "data",
        "crash_attempts": 3,
    }
    async with run_system(web=True, **flags) as system:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=8.0) as client:
            began = time.monotonic()
            until = began + seconds
            uploads = Uploads(system, client, account, rng, pages_a_job, jobs_open, poison_every)
            async with asyncio.TaskGroup() as group:
                group.create_task(_destroy(system, account, rng, until, every_seconds))
                group.create_task(uploads.run(until))
            account.seconds = time.monotonic() - began
            began = time.monotonic()
            await _settle(system, account, uploads)
            account.settled_seconds = time.monotonic() - began
        reads = reads_in(folder)
        account.reads = len(reads)
        last = dict(reads)
        uploads.check(Counter(last[pid] for pid in account.struck if pid in last))
    return account


@dataclass
class Uploads:
    """Keeps so many jobs open, through HTTP, and knows what each page must say."""

    system: System
    client: httpx.AsyncClient
    account: Account
    rng: random.Random
    pages_a_job: int
    jobs_open: int
    poison_every: int
    accepted: dict[str, list[str]] = field(default_factory=dict)

    async def run(self, until: float) -> None:
        """Until then; an upload that the chaos broke is sent again as another document."""
        number = 0
        while time.monotonic() < until:
            if self.system.store.open_work()[0] >= self.jobs_open:
                await asyncio.sleep(0.05)  # nothing tells how the queue of a killed system is
                continue
            number += 1
            texts = [f"job {number} page {page}" for page in range(1, self.pages_a_job + 1)]
            if len(self.accepted) % self.poison_every == 0:  # the first of all has one
                texts[self.rng.randrange(len(texts))] += f" {POISON}"
            await self._upload(texts)

    async def _upload(self, texts: list[str]) -> None:
        files = {"file": ("a.pdf", await asyncio.to_thread(pdf_of, *texts), "application/pdf")}
        try:
            answer = await self.client.post("/api/v1/jobs", files=files, data={"engine": "text"})
        except httpx.HTTPError:
            self.account.refused_uploads += 1
            await asyncio.sleep(0.1)  # the front is being started again
            return
        if answer.status_code != 202:
            self.account.refused_uploads += 1
            if answer.status_code not in {429, 503}:
                self.account.wrong.append(f"an upload was answered {answer.status_code}")
            return
        [job] = answer.json()["jobs"]
        self.accepted[job["id"]] = texts

    def check(self, struck: Counter[str]) -> None:
        """Every page of every accepted job exactly once, and charged only what must be.

        `struck`: how many processes were killed or stopped with this page as their last.
        """
        account, store = self.account, self.system.store
        account.jobs = len(self.accepted)
        for job_id, texts in self.accepted.items():
            job = store.job(job_id)
            if job.state is not JobState.DONE:
                account.wrong.append(f"job {job_id} is {job.state.value}: {job.failure}")
                continue
            results = {}
            for result in store.results(job_id):
                if result.page in results:
                    account.wrong.append(f"page {result.page} of {job_id} has two results")
                results[result.page] = result.text.strip()
            tasks = {task.page: task for task in store.pages(job_id)}
            for page, text in enumerate(texts, start=1):
                account.pages += 1
                name = f"page {page} of {job_id}"
                self._check_page(name, tasks[page], text, results.get(page), struck[text])

    def _check_page(self, name: str, task: Any, text: str, found: str | None, struck: int) -> None:
        account = self.account
        if POISON in text:
            account.poison += 1
            account.quarantined += task.quarantined
            if not task.quarantined or task.state is not PageState.FAILED:
                account.wrong.append(f"{name} is poison and is {task.state.value}")
            elif not _HOW_IT_ENDED.search(task.reason):
                account.wrong.append(f"{name} does not say how it ended: {task.reason}")
            return
        account.charged += task.crashes
        if task.quarantined or task.crashes > struck:
            account.wrong.append(f"{name} is charged {task.crashes} times, struck {struck}")
        if task.state is not PageState.DONE or found != text:
            account.wrong.append(f"{name} is {task.state.value} and says {found!r}: {task.reason}")


async def _destroy(
    system: System, account: Account, rng: random.Random, until: float, every_seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    while time.monotonic() < until:
        await asyncio.sleep(rng.uniform(0.5, 1.5) * every_seconds)
        processes = sorted(system.supervisor.pids().items(), key=lambda entry: entry[1])
        if not processes:
            continue
        pid, name = rng.choice(processes)
        role = name.split("-")[0]
        with contextlib.suppress(ProcessLookupError):
            if rng.random() < 0.75:
                os.kill(pid, signal.SIGKILL)
                account.kills[role] += 1
                account.struck |= {pid} if role == "text" else set()
            else:
                os.kill(pid, signal.SIGSTOP)
                account.stops[role] += 1
                account.struck |= {pid} if role == "text" else set()
                loop.call_later(rng.uniform(*STOP_SECONDS), _go_on, system, pid)


def _go_on(system: System, pid: int) -> None:
    if pid in system.supervisor.pids():  # still the process that was stopped
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def _settle(system: System, account: Account, uploads: Uploads, seconds: float = 240) -> None:
    """Until nothing is open; what hangs then is named."""
    until = time.monotonic() + seconds
    while system.store.open_work()[0]:
        if time.monotonic() > until:
            for job_id in uploads.accepted:
                job = system.store.job(job_id)
                if not job.state.is_final:
                    account.wrong.append(f"job {job_id} hangs: {job.state.value} {job.counts}")
            return
        await asyncio.sleep(0.2)  # the store is the truth, and it does not call
