"""Pages a second of the whole pipeline against the same engine in a plain loop, same run.

    .venv/bin/python -m tests.bench.overhead FILE.pdf [--pages 60] [--runs 3] [--engine pymupdf]

The plain loop opens the document, cuts out each page as a one-page PDF and calls the engine, in
one process; the pipeline is broker, split, collect and one engine process. Both engines are warm,
and the two take turns, so that whatever else the machine does weighs on both. The pipeline does
more: a preview of each page, results committed and searchable, four formats of the whole
document; the plain loop keeps nothing. Each run of the pipeline gets a document that it has not
seen. Prints pages a second by the median run of each, the ratio of these (the goal is 0.9), and
CPU milliseconds a page of each process: those tell where the time goes even on a busy machine.
"""

import argparse
import asyncio
import time
from collections import Counter
from pathlib import Path
from statistics import fmean, median

import psutil
import pymupdf

from engines.registry import make_engine
from shared.ocr_backend import PDF, OCRBackend, PageBatch, PageInput
from shared.settings import Settings, load_settings
from shared.states import JobState
from tests.fakes.systems import TEXT_ENGINE, System, run_system


def plain_loop(engine: OCRBackend, path: Path, pages: int) -> float:
    """Seconds for the pages."""
    started = time.perf_counter()
    document = pymupdf.open(path)
    for number in range(pages):
        one = pymupdf.open()
        one.insert_pdf(document, from_page=number, to_page=number)
        page = PageInput(str(number), PDF, one.tobytes(), page=number + 1)
        one.close()
        for _ in engine.recognize(PageBatch([page]), lambda: None):
            pass
    document.close()
    return time.perf_counter() - started


def processor_seconds(system: System) -> Counter[str]:
    """What each process of the system has used since its start; split with its ended children."""
    used: Counter[str] = Counter()
    for child in system.supervisor._children.values():
        process = psutil.Process(child.pid)
        times = process.cpu_times()
        used[child.spec.name] = times.user + times.system
        used[child.spec.name] += times.children_user + times.children_system
        for own in process.children():
            used[child.spec.name] += sum(own.cpu_times()[:2])
    return used


async def pipeline(system: System, data: bytes, pages: int, engine: str) -> float:
    """Seconds from the job's creation to its end."""
    job = await system.submit(data, engine=engine, pages=f"1-{pages}")
    job = await system.finished(job, seconds=600)
    assert job.state is JobState.DONE
    assert job.finished is not None
    return job.finished - job.created


async def measure(engine: OCRBackend, asked: argparse.Namespace) -> None:
    """Let both take turns and print the figures."""
    alone: list[float] = []
    whole: list[float] = []
    processor: list[float] = []
    data = asked.file.read_bytes()
    async with run_system(engines=asked.engine, engine_classes=TEXT_ENGINE) as system:
        for run in range(asked.runs + 1):
            if run == 1:  # the one before was to warm up
                alone, whole, processor = [], [], []
                before = processor_seconds(system)
            began = time.process_time()
            alone.append(plain_loop(engine, asked.file, asked.pages))
            processor.append(time.process_time() - began)
            fresh = data + b"\n%% run %d\n" % run
            whole.append(await pipeline(system, fresh, asked.pages, asked.engine))
        used = processor_seconds(system)
    rates = [asked.pages / median(seconds) for seconds in (alone, whole)]
    print(f"plain loop {rates[0]:.2f} pages/s, pipeline {rates[1]:.2f} pages/s, ", end="")
    print(f"ratio {rates[1] / rates[0]:.2f}")
    print(
        "seconds, plain/pipeline:", *(f"{a:.2f}/{b:.2f}" for a, b in zip(alone, whole, strict=True))
    )
    per_page = 1000 / asked.pages
    listed = [f"{name} {(used[name] - before[name]) * per_page / asked.runs:.1f}" for name in used]
    print(f"CPU milliseconds a page: plain loop {fmean(processor) * per_page:.1f};", *listed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", default="pymupdf")
    asked = parser.parse_args()
    settings: Settings = load_settings({"engine_classes": TEXT_ENGINE}, environ={})
    engine = make_engine(asked.engine, settings, None)
    engine.load()
    asyncio.run(measure(engine, asked))
    engine.close()


if __name__ == "__main__":
    main()
