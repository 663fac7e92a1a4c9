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
import os
import shutil
import signal
import time
import traceback

import httpx

from tests.bench.ending_checkpoints import OPTIONS
from tests.bench.gpu_ballast import ballast
from tests.bench.rest_system import smi
from tests.bench.two_gpus_parts import (
    ENGINE,
    Run,
    all_ready,
    credits_of,
    places,
    read_all,
    say,
    start,
)

BOTH = "deepseek:gpu0,deepseek:gpu1"
TOO_LITTLE_GIB, LITTLE_GIB, BATCH_GIB = 5.0, 20.0, 5.0


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
        assert after[1]["credit"] < after[0]["credit"], credits_of(after)
        say("cache", refused=message, then=said, credits=credits_of(after))


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
        assert after[1]["credit"] < after[0]["credit"], credits_of(after)
        say("batch", said=lines, credits=credits_of(after))


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
