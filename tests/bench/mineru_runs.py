"""One run of MinerU over some files: called directly, or through quire; for mineru.py."""

import contextlib
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench.memory import make_book
from tests.fakes.systems import ROOT, System, run_system

PYTHON = ROOT / ".venv-mineru" / "bin" / "python"
# Reads [path, page range] pairs from its arguments; the first one warms up.
DIRECT = """
import json, sys, time
import psutil
def cpu():
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)
def main():
    from mineru.parser import MinerUParser
    parser = MinerUParser(tier="flash")
    (first, _), *_ = files = json.loads(sys.argv[1])
    parser.parse(first, page_range="1")
    pages, texts, started, before = 0, [], time.perf_counter(), cpu()
    for path, wanted in files:
        read = parser.parse(path, page_range=wanted)
        pages += len(read.pages)
        texts.append(read.markdown())
    print(json.dumps([[pages, time.perf_counter() - started, {"mineru": cpu() - before}], texts]))
if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True)
class Run:
    """What reading took. `cpu` is in seconds by kind of process."""

    pages: int
    seconds: float
    cpu: dict[str, float]

    def __str__(self) -> str:
        spent = ", ".join(
            f"{name} {1000 * took / self.pages:.0f}" for name, took in self.cpu.items()
        )
        rate = (
            f"{self.pages} pages in {self.seconds:.1f} s, {self.pages / self.seconds:.2f} pages/s"
        )
        return f"{rate}; CPU ms a page: {spent}"


def read_directly(files: list[tuple[Path, str]], weights: Path) -> tuple[Run, list[str]]:
    """What it took, and the Markdown by file."""
    given = json.dumps([(str(path), pages) for path, pages in files])
    with tempfile.TemporaryDirectory() as home:
        script = Path(home) / "direct.py"  # its render workers import it again
        script.write_text(DIRECT)
        environment = {
            "MINERU_HOME": home,
            "MINERU_LOG_LEVEL": "error",
            "MINERU_MODEL_SOURCE": "local",
            "MINERU_MODEL_BASE_DIR": str(weights),
        }
        done = subprocess.run(
            [PYTHON, script, given],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    run, texts = json.loads(done.stdout)
    return Run(*run), texts


@contextlib.asynccontextmanager
async def mineru(**flags: Any) -> Any:
    """A system with one MinerU process, warm."""
    pythons = f"mineru={PYTHON}"
    async with run_system(engines="mineru", engine_pythons=pythons, **flags) as system:
        job = await system.submit(make_book(1), engine="mineru")
        await system.finished(job)
        yield system


async def read_with_quire(files: list[tuple[Path, str]], flags: dict[str, Any]) -> Run:
    """From the first submission to the last artifact."""
    async with mineru(**flags) as system:
        if list(Path(flags["mineru_models"]).iterdir()):  # load the models, too
            path, _ = files[0]
            warm = await system.submit(path.read_bytes(), engine="mineru", pages="1")
            await system.finished(warm, 120)
        started, before = time.perf_counter(), cpu_seconds(system)
        jobs = []
        for path, pages in files:
            options = {"tier": "flash"}
            data = path.read_bytes()
            jobs.append(await system.submit(data, engine="mineru", pages=pages, options=options))
        done = [await system.finished(job, seconds=600) for job in jobs]
        took = time.perf_counter() - started
        spent = {name: now - before[name] for name, now in cpu_seconds(system).items()}
        for job in done:
            assert job.counts.done == job.counts.total, job
        return Run(sum(job.counts.done for job in done), took, spent)


def machine_seconds() -> tuple[float, float, float]:
    """CPU seconds of this machine so far: busy, of this process and its past children, and all."""
    times = psutil.cpu_times()
    own = os.times()
    idle = times.idle + times.iowait
    mine = own.user + own.system + own.children_user + own.children_system
    return sum(times[:8]) - idle, mine, sum(times[:8])  # guests count as user time, too


def cpu_seconds(system: System) -> dict[str, float]:
    """By the name of each process of the system, those that it started included."""
    spent = {}
    for child in system.supervisor._children.values():
        own = psutil.Process(child.pid)
        times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        spent[child.spec.name] = sum(
            t.user + t.system + t.children_user + t.children_system for t in times
        )
    return spent
