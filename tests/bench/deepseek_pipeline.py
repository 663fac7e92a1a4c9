"""The native runtime within the whole system: split, bus, engine, collect, as real processes.

    python -m tests.bench.deepseek_pipeline [--pages 768] [--documents 8] [--float8]
    python -m tests.bench.deepseek_pipeline --small --pages 4 --documents 2   # on a CPU

Documents of A4 pages are rendered at 200 dpi, cross the bus as pixels, are read with random weights
at true size, and are committed; with --small by a little model: whether it all goes. Lengths are
drawn; a text is the numbers of its tokens, and counts as ended, so that the gate has nothing to
say. What the processes log is printed as it comes; the first page that fails ends the run with its
reason.

Python must find quire and its packages without PYTHONPATH: the process that opens documents gets
nothing of the environment.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import psutil
import pymupdf

from engines.deepseek.backend import DeepSeekEngine
from engines.deepseek.native.sizes import Sizes
from engines.deepseek.runtime import STOP, Generation, Outcome, Request, RequestFeed, Runtime
from shared.records import Job
from shared.states import PageState
from tests.bench.deepseek_true_size import (
    LENGTHS,
    Waiting,
    make_model,
    make_requests,
    make_small_model,
)
from tests.fakes.systems import System, run_system

ENGINE = "bench=tests.bench.deepseek_pipeline:BenchEngine"
FLOAT8 = "QUIRE_BENCH_FLOAT8"
SMALL = "QUIRE_BENCH_SMALL"
_SMALL_SIZES = Sizes(60, 2, 2048, 1, (1, 2))
_SMALL_LENGTHS = (5, 20)
_FLAGS: dict[str, Any] = {
    "engine_max_rss_mib": 65536,  # pages of 11.6 MB wait and run by the hundred
    "engine_max_pages": 1_000_000,
    "split_processes": 8,
    "window_pages": 64,
    "queue_mib": 2048,
}


class DrawnLengths(Runtime):
    """The native runtime with drawn lengths in place of ends of sequence."""

    name = "native"

    def __init__(self) -> None:
        from engines.deepseek.native.native_runtime import NativeRuntime  # noqa: PLC0415 - torch

        self._small = bool(os.environ.get(SMALL))
        if self._small:
            self._native = NativeRuntime("", device="cpu", dtype="float32", sizes=_SMALL_SIZES)
        else:
            self._native = NativeRuntime("random", float8_kv=bool(os.environ.get(FLOAT8)))

    def load(self) -> None:
        """Make the weights; read pages until what is compiled by need is compiled."""
        self._native.adopt(make_small_model() if self._small else make_model("cuda"))
        if not self._small:
            for count in (1, 24):
                feed = Waiting(make_requests(count, lengths=(8, 40)))
                for _ in self._native.run(feed, lambda: None):
                    pass

    def run(self, feed: RequestFeed, progress: Callable[[], None]) -> Iterator[Outcome]:
        """As the native runtime, each page with a length of its own."""
        lengths = _SMALL_LENGTHS if self._small else LENGTHS
        for outcome in self._native.run(_Drawn(feed, lengths), progress):
            ended = isinstance(outcome, Generation)
            yield replace(outcome, finish_reason=STOP) if ended else outcome

    def close(self) -> None:
        """Free the model."""
        self._native.close()

    def details(self) -> Mapping[str, Any]:
        """As the native runtime."""
        return self._native.details()


class _Drawn:
    def __init__(self, feed: RequestFeed, lengths: tuple[int, int]) -> None:
        self._feed, self._lengths = feed, lengths

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Request]:
        return [
            replace(request, max_tokens=random.randint(*self._lengths), temperature=1.0)
            for request in self._feed.take(limit, timeout_seconds)
        ]


class BenchEngine(DeepSeekEngine):
    """The engine with that runtime."""

    name = "bench"

    def load(self) -> None:
        """Once."""
        if self._runtime is None:
            self._gpu, self._runtime = True, DrawnLengths()
            self._runtime.load()


def make_book(first: int, pages: int) -> bytes:
    """A4 pages of text, all different; `first` numbers the first one."""
    document = pymupdf.open()
    for number in range(first, first + pages):
        page = document.new_page(width=595, height=842)
        for line in range(48):
            words = f"{number}.{line} Every page is a message and nothing is ever lost. "
            page.insert_text((50, 60 + 15 * line), (words * 3)[:95], fontsize=10)
    data: bytes = document.tobytes(deflate=True)
    return data


def _resident(system: System) -> dict[str, int]:
    return {
        child.spec.name: psutil.Process(child.pid).memory_info().rss >> 20
        for child in system.supervisor._children.values()
    }


class _Log(list[str]):
    """Prints what the processes say as it comes."""

    def append(self, line: str) -> None:
        super().append(line)
        print("   ", line[:300], flush=True)


async def measure(pages: int, documents: int, seconds: float) -> None:
    """Wait until the engine is ready, submit, and print how it goes; at most `seconds` of work."""
    each = pages // documents
    books = [make_book(each * number, each) for number in range(documents)]
    pages = each * documents
    flags = _FLAGS | {"engines": "bench", "engine_classes": ENGINE}
    async with run_system(log=_Log(), **flags) as system:
        started = time.perf_counter()
        await system.table(
            lambda table: any(w.engine == "bench" and w.state == "ready" for w in table.workers),
            seconds=180,
        )
        ready = time.perf_counter() - started
        print(f"ready after {ready:.1f} s", flush=True)
        submitted = time.perf_counter()
        jobs = [await system.submit(book, engine="bench") for book in books]
        async with asyncio.timeout(seconds):
            await _until(system, jobs, lambda jobs: any(job.counts.total for job in jobs))
            opened = time.perf_counter()
            print(f"first document open {opened - submitted:.2f} s after submission", flush=True)
            for goal in dict.fromkeys((1, pages // 4, pages // 2, 3 * pages // 4, pages)):
                jobs = await _until(system, jobs, lambda jobs, g=goal: _settled(jobs) >= g)
                now = time.perf_counter() - opened
                print(f"{_settled(jobs)} pages after {now:.1f} s", flush=True)
        kind = "float8" if os.environ.get(FLOAT8) else "bf16"
        line = {"name": f"pipeline, {kind}", "pages_s": round(pages / now, 2), "pages": pages}
        print(json.dumps(line | {"seconds": round(now, 1), "ready_s": round(ready, 1)}), flush=True)
        jobs = await _until(system, jobs, lambda jobs: all(job.state.is_final for job in jobs))
        now = time.perf_counter() - submitted
        states = sorted({str(job.state) for job in jobs})
        print(f"{states} {now:.1f} s after submission; MiB {_resident(system)}")


def _settled(jobs: list[Job]) -> int:
    return sum(job.counts.settled for job in jobs)


async def _until(
    system: System, jobs: list[Job], reached: Callable[[list[Job]], bool]
) -> list[Job]:
    """The jobs once it is so. SystemExit with the reason when a page or a job has failed."""
    while True:
        jobs = [system.store.job(job.id) for job in jobs]
        for job in jobs:
            if job.counts.failed or job.failure:
                failed = system.store.pages(job.id)
                reasons = [(p.page, p.reason) for p in failed if p.state is PageState.FAILED]
                raise SystemExit(f"failed: {job.failure} {reasons[:3]}")
        if reached(jobs):
            return jobs
        async with system.changed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(system.changed.wait(), 0.5)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=768)
    parser.add_argument("--documents", type=int, default=8)
    parser.add_argument("--float8", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seconds", type=float, default=300, help="for all pages")
    arguments = parser.parse_args()
    for name in (FLOAT8,) * arguments.float8 + (SMALL,) * arguments.small:
        os.environ[name] = "1"
    asyncio.run(measure(arguments.pages, arguments.documents, arguments.seconds))


if __name__ == "__main__":
    main()
