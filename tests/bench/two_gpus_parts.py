"""What the phases of `deepseek_two_gpus` have in common: models, systems, reading, checking."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.deepseek_pipeline import make_book
from tests.bench.ending_checkpoints import OPTIONS
from tests.bench.rest_system import RestSystem, Workers, rest_system, smi

ENGINE = "deepseek"
DOCUMENTS = 8
# of a page: with v1 64 pages of one batch wait for the longest of them
MEAN_TOKENS = {"deepseek-ocr-2": 300, "deepseek-ocr": 100}
_SETTINGS = {
    "engine_max_rss_mib": "65536",  # pages of 11.6 MB wait and run by the hundred
    "split_processes": "16",
    "window_pages": "64",
    "queue_mib": "4096",
    "max_queued_pages": "100000",
}


class Run:
    """What the phases have in common."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.pages, self.small = int(asked.pages), bool(asked.small)
        self.kept, self.scratch = Path(asked.out), Path(asked.scratch)
        self.kept.mkdir(parents=True, exist_ok=True)

    def model(self, family: str) -> Path:
        return self.scratch / family

    def make_models(self, families: list[str]) -> None:
        """All at once, each on a GPU of its own."""
        command = [sys.executable, "-m", "tests.bench.ending_checkpoints"]
        flags = ["--small"] if self.small else []
        making = []
        for gpu, family in enumerate(families):
            tokens = 30 if self.small else MEAN_TOKENS[family]
            arguments = [family, str(self.model(family)), str(tokens), *flags]
            environment = os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu)}
            making.append(subprocess.Popen([*command, *arguments], env=environment))
        assert [process.wait() for process in making] == [0] * len(making)

    def system(self, name: str, engines: str, family: str, runtime: str) -> Any:
        settings = _SETTINGS | {
            "engines": engines,
            "deepseek_model": str(self.model(family)),
            "deepseek_runtime": "transformers" if self.small else runtime,
        }
        if self.small:
            settings |= {"deepseek_device": "cpu", "split_processes": "1"}
        return rest_system(self.scratch, name, self.kept, **settings)

    def books(self, pages: int) -> tuple[list[bytes], int]:
        """Documents with so many pages in all, and the pages of each; no page comes twice."""
        each = max(1, pages // DOCUMENTS)
        first = time.monotonic_ns() % 10**9
        return [make_book(first + each * number, each) for number in range(DOCUMENTS)], each

    def check_places(self, workers: Workers, by_smi: list[tuple[int, str]]) -> None:
        """Each process is on its own GPU: by what it says, and by what the driver says."""
        assert len({worker["pid"] for worker in workers}) == len(workers)
        if self.small:
            return
        cards = [line.split("UUID: ")[1].rstrip(")") for line in smi("-L").splitlines()]
        for worker in workers:
            said = worker["gpu_uuid"]
            assert said == cards[worker["gpu_number"]], (worker, cards)
            assert [uuid for pid, uuid in by_smi if pid == worker["pid"]] == [said], by_smi
        assert len({worker["gpu_uuid"] for worker in workers}) == len(workers)


def say(phase: str, **values: Any) -> None:
    """Print a line of figures."""
    print(json.dumps({"phase": phase, **values}), flush=True)


def places(workers: Workers) -> list[dict[str, Any]]:
    """The columns that tell who is where."""
    names = ("worker", "pid", "state", "gpu", "gpu_number", "gpu_uuid", "credit", "pages_done")
    return [{name: worker[name] for name in names} for worker in workers]


def all_ready(count: int) -> Callable[[Workers], bool]:
    """Whether so many are there, all of them ready."""
    return lambda workers: [w["state"] for w in workers] == ["ready"] * count


def all_at_work(count: int) -> Callable[[Workers], bool]:
    """Whether so many have read pages and have more of them."""
    return lambda workers: (
        len(workers) == count and all(w["pages_done"] and w["in_flight"] for w in workers)
    )


def rates(seen: list[tuple[float, int]], begun: float) -> dict[str, float]:
    """Pages a second from the submission to the last page, and of the middle half."""
    total = seen[-1][1]
    ended = next(at for at, count in seen if count == total)
    quarter, three = (
        next(point for point in seen if point[1] >= share * total) for share in (0.25, 0.75)
    )
    middle = (three[1] - quarter[1]) / max(three[0] - quarter[0], 1e-9)
    return {
        "seconds": round(ended - begun, 1),
        "pages_per_second": round(total / (ended - begun), 2),
        "middle_pages_per_second": round(middle, 2),
    }


def read_all(run: Run, system: RestSystem, phase: str, count: int, pages: int) -> None:
    """Read so many pages with `count` engines; say how fast, and who read how many."""
    books, each = run.books(pages)
    begun = time.monotonic()
    ids = system.submit(books, ENGINE, OPTIONS)
    workers = system.when(ENGINE, all_at_work(count))
    run.check_places(workers, system.keep(phase))
    seen = system.finished(ids, 240)
    readers, _ = system.readers(ids, each)
    assert len(readers) == count, readers
    figures = rates(seen, begun)
    say(phase, pages=each * DOCUMENTS, readers=readers, **figures, places=places(workers))


def start(system: RestSystem, phase: str, count: int) -> Workers:
    """Wait until so many engines are ready; say how long that took."""
    begun = time.monotonic()
    workers = system.when(ENGINE, all_ready(count))
    say(phase, ready_seconds=round(time.monotonic() - begun, 1), credits=credits_of(workers))
    return workers


def credits_of(workers: Workers) -> list[int]:
    """How many pages each says that it can hold."""
    return [worker["credit"] for worker in workers]
