"""Pages a second of the whole pipeline against the same engine in a plain loop, same run.

    .venv/bin/python tests/bench/overhead.py FILE.pdf [--pages 60] [--runs 3] [--engine pymupdf]

The plain loop opens the document, cuts out each page as a one-page PDF and calls the engine, in
one process; the pipeline is broker, split, collect and one engine process. Both are warm: a first
run is not counted. Prints the median of each and their ratio (the goal is 0.9).
"""

import argparse
import asyncio
import statistics
import time
from pathlib import Path

import pymupdf

from engines.registry import make_engine
from shared.ocr_backend import PDF, OCRBackend, PageBatch, PageInput
from shared.settings import Settings, load_settings
from shared.states import JobState
from tests.fakes.systems import TEXT_ENGINE, run_system


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


async def pipeline(path: Path, pages: int, runs: int, engine: str) -> list[float]:
    """Seconds of each run, from the job's start to its end."""
    seconds = []
    async with run_system(engines=engine, engine_classes=TEXT_ENGINE) as system:
        for run in range(runs + 1):
            job = await system.submit(path.read_bytes(), engine=engine, pages=f"1-{pages}")
            job = await system.finished(job, seconds=600)
            assert job.state is JobState.DONE
            assert job.started is not None
            assert job.finished is not None
            if run:
                seconds.append(job.finished - job.created)
    return seconds


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
    plain = [plain_loop(engine, asked.file, asked.pages) for _ in range(asked.runs + 1)][1:]
    engine.close()
    whole = asyncio.run(pipeline(asked.file, asked.pages, asked.runs, asked.engine))
    rates = [asked.pages / statistics.median(times) for times in (plain, whole)]
    print(f"plain loop {rates[0]:.2f} pages/s, pipeline {rates[1]:.2f} pages/s, ", end="")
    print(f"ratio {rates[1] / rates[0]:.2f}  (seconds: {plain} {whole})")


if __name__ == "__main__":
    main()
