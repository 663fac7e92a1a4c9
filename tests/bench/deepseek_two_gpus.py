"""Two DeepSeek engines on the two GPUs of one host, in one quire: side by side, killed, cramped.

    python -m tests.bench.deepseek_two_gpus --out FOLDER [--pages 512] [--phases two,one,...]
    python -m tests.bench.deepseek_two_gpus --out FOLDER --small  # on a CPU: whether it goes

`quire up` with QUIRE_ENGINES=deepseek:gpu0,deepseek:gpu1 and models of true size with random
weights; documents go in by REST. Phases:

- two: both read; each is on its own GPU by /api/v1/workers and by nvidia-smi; every page is read
  once; then one of them is killed (-9): its pages go on, and it comes back on its own GPU.
- one: the same pages on one GPU.
- cache: somebody else's process holds most of the second GPU. `native` refuses with a sentence
  while the weights do not fit, and has a smaller cache where they do.
- batch: `transformers` reads in batches of 64 on both when somebody else takes the memory of the
  second GPU: batches become smaller there, every page is read, no process ends.

Figures are JSON lines on the output; what the API and nvidia-smi
said is kept in FOLDER. The weights take 14 GB below --scratch.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.bench.deepseek_pipeline import make_book
from tests.bench.ending_checkpoints import OPTIONS
from tests.bench.gpu_ballast import ballast
from tests.bench.rest_system import RestSystem, Workers, rest_system, smi

ENGINE = "deepseek"
BOTH = "deepseek:gpu0,deepseek:gpu1"
DOCUMENTS = 8
# of a page: with v1 64 pages of one batch wait for the longest of them
MEAN_TOKENS = {"deepseek-ocr-2": 300, "deepseek-ocr": 100}
TOO_LITTLE_GIB, LITTLE_GIB, BATCH_GIB = 5.0, 20.0, 5.0
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
    say(phase, ready_seconds=round(time.monotonic() - begun, 1), credits=_credits(workers))
    return workers


def two(run: Run) -> None:
    """Both read; then one is killed."""
    with run.system("two", BOTH, "deepseek-ocr-2", "native") as system:
        start(system, "two", 2)
        read_all(run, system, "two", 2, run.pages)
        books, each = run.books(run.pages // 2)
        ids = system.submit(books, ENGINE, OPTIONS)
        before = system.when(ENGINE, lambda found: all(w["running"] for w in found))
        killed = before[1]
        os.kill(killed["pid"], signal.SIGKILL)
        system.finished(ids, 240)
        readers, crashed = system.readers(ids, each, killed=True)
        after = system.when(ENGINE, all_ready(2))
        run.check_places(after, system.keep("killed"))
        again = after[1]
        assert again["gpu_number"] == killed["gpu_number"]
        assert again["gpu_uuid"] == killed["gpu_uuid"]
        assert again["pid"] != killed["pid"]
        say(
            "killed",
            was=killed["pid"],
            in_hand=killed["in_flight"],
            crashed=crashed,
            readers=readers,
            places=places(after),
        )


def one(run: Run) -> None:
    """One GPU alone, for comparison."""
    with run.system("one", "deepseek:gpu0", "deepseek-ocr-2", "native") as system:
        start(system, "one", 1)
        read_all(run, system, "one", 1, run.pages // 2)


def cache(run: Run) -> None:
    """The native runtime on a GPU on which there is too little memory, then little."""
    with (
        ballast(1, TOO_LITTLE_GIB) as other,
        run.system("cache", BOTH, "deepseek-ocr-2", "native") as system,
    ):
        refused = system.when(
            ENGINE, lambda found: [w["state"] for w in found] == ["ready", "blocked"]
        )
        system.keep("refused")
        message = refused[1]["message"]
        assert "free it" in message, message
        books, each = run.books(64)
        ids = system.submit(books, ENGINE, OPTIONS)
        system.finished(ids, 120)
        assert set(system.readers(ids, each)[0]) == {refused[0]["worker"]}
        said = other.leave(LITTLE_GIB)
        workers = system.when(ENGINE, all_ready(2))
        assert workers[1]["pid"] == refused[1]["pid"]
        read_all(run, system, "little", 2, run.pages // 2)
        after = system.workers(ENGINE)
        assert after[1]["credit"] < after[0]["credit"], _credits(after)
        say("cache", refused=message, then=said, credits=_credits(after))


def batch(run: Run) -> None:
    """Memory goes away under batches of the transformers runtime."""
    with run.system("batch", BOTH, "deepseek-ocr", "transformers") as system:
        before = start(system, "batch", 2)
        with ballast(1, BATCH_GIB):
            read_all(run, system, "batch", 2, 192)
            system.keep("batch-after")
            after = system.workers(ENGINE)
        lines = system.said("out of memory with")
        assert lines, "no batch was too large"
        assert [w["pid"] for w in after] == [w["pid"] for w in before]
        assert after[1]["credit"] < after[0]["credit"], _credits(after)
        say("batch", said=lines, credits=_credits(after))


def _credits(workers: Workers) -> list[int]:
    return [worker["credit"] for worker in workers]


PHASES = {"two": two, "batch": batch, "cache": cache, "one": one}
_NEED_GPUS = {"cache", "batch"}


def main() -> None:
    """Make the models, run the phases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--scratch", default="/dev/shm/quire-two-gpus")
    parser.add_argument("--pages", type=int, default=512)
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    run = Run(asked)
    names = [n for n in asked.phases.split(",") if not (run.small and n in _NEED_GPUS)]
    families = ["deepseek-ocr-2"] * bool({"two", "one", "cache"} & set(names))
    families += ["deepseek-ocr"] * ("batch" in names)
    print(smi("-L"), flush=True)
    begun = time.monotonic()
    try:
        run.make_models(families)
        say("models", seconds=round(time.monotonic() - begun, 1))
        failed = [name for name in names if not holds(run, name)]
    finally:
        shutil.rmtree(run.scratch, ignore_errors=True)
    if failed:
        raise SystemExit(f"does not hold: {', '.join(failed)}")
    print("all of it holds", flush=True)


def holds(run: Run, name: str) -> bool:
    """Run a phase; the others follow whatever comes of it."""
    try:
        PHASES[name](run)
    except (AssertionError, TimeoutError, OSError, httpx.HTTPError):
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    main()
