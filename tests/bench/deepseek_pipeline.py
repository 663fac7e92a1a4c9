"""The native runtime within the whole system: split, bus, engine, collect, as real processes.

    python -m tests.bench.deepseek_pipeline [--pages 384] [--float8]

A document of A4 pages is rendered at 200 dpi, crosses the bus as pixels, is read with random
weights at true size, and is committed. Lengths are drawn; a text is the numbers of its tokens, and
counts as ended, so that the gate has nothing to say.
"""

import argparse
import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import psutil
import pymupdf

from engines.deepseek.backend import DeepSeekEngine
from engines.deepseek.runtime import STOP, Generation, Outcome, Request, RequestFeed, Runtime
from tests.bench.deepseek_true_size import LENGTHS, make_model
from tests.fakes.systems import System, run_system

ENGINE = "bench=tests.bench.deepseek_pipeline:BenchEngine"
FLOAT8 = "QUIRE_BENCH_FLOAT8"
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

        self._native = NativeRuntime("random", float8_kv=bool(os.environ.get(FLOAT8)))

    def load(self) -> None:
        """Make the weights."""
        self._native.adopt(make_model("cuda"))

    def run(self, feed: RequestFeed, progress: Callable[[], None]) -> Iterator[Outcome]:
        """As the native runtime, each page with a length of its own."""
        for outcome in self._native.run(_Drawn(feed), progress):
            ended = isinstance(outcome, Generation)
            yield replace(outcome, finish_reason=STOP) if ended else outcome

    def close(self) -> None:
        """Free the model."""
        self._native.close()

    def details(self) -> Mapping[str, Any]:
        """As the native runtime."""
        return self._native.details()


class _Drawn:
    def __init__(self, feed: RequestFeed) -> None:
        self._feed = feed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Request]:
        return [
            replace(request, max_tokens=random.randint(*LENGTHS), temperature=1.0)
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


def make_book(pages: int) -> bytes:
    """A4 pages of text, all different."""
    document = pymupdf.open()
    for number in range(pages):
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


async def measure(pages: int) -> None:
    """Wait until the engine is ready, submit, and print how it goes."""
    book = make_book(pages)
    async with run_system(engines="bench", engine_classes=ENGINE, **_FLAGS) as system:
        started = time.perf_counter()
        await system.table(
            lambda table: any(w.engine == "bench" and w.state == "ready" for w in table.workers),
            seconds=120,
        )
        print(f"ready after {time.perf_counter() - started:.1f} s", flush=True)
        begin = time.perf_counter()
        job = await system.submit(book, engine="bench")
        for goal in (1, pages // 4, pages // 2, 3 * pages // 4, pages):
            job = await system.until(job, lambda j, g=goal: j.counts.settled >= g, seconds=300)
            seconds = time.perf_counter() - begin
            print(f"{job.counts.settled} pages after {seconds:.1f} s", flush=True)
        rate = pages / (time.perf_counter() - begin)
        print(f"{job.counts.done} done, {rate:.2f} pages/s from submit to the last commit")
        job = await system.finished(job, seconds=120)
        print(f"{job.state} after {time.perf_counter() - begin:.1f} s; MiB {_resident(system)}")
        print("\n".join(line for line in system.log if "rror" in line or "worn" in line)[-2000:])


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=384)
    parser.add_argument("--float8", action="store_true")
    arguments = parser.parse_args()
    if arguments.float8:
        os.environ[FLOAT8] = "1"
    asyncio.run(measure(arguments.pages))


if __name__ == "__main__":
    main()
