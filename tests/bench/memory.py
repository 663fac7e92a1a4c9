"""Memory of every process over a long document, and what it leaves on disk.

    .venv/bin/python tests/bench/memory.py [--pages 1000] [--engine pymupdf]

Makes a PDF with text and a drawing on each page, converts it, and prints resident memory in MiB
by process at each tenth of the job.

2026-11-23, 2 cores shared with other work, engine pymupdf (born-digital pages), 1,000 pages done in
871 s. Resident MiB by process, split with its reader child:

    pages   broker  collect  pymupdf  split
      100       29       52      658    160
      500       29       53      658    166
     1000       29       53      658     49  (the reader child has ended)

Data directory 171 MiB afterwards, of which the document is 6 MiB.
"""

import argparse
import asyncio
from pathlib import Path

import psutil
import pymupdf

from tests.fakes.systems import TEXT_ENGINE, System, run_system

WORDS = "Every page is a message and nothing that was accepted is ever lost. " * 3


def make_book(pages: int) -> bytes:
    """A PDF of so many different pages."""
    document = pymupdf.open()
    for number in range(1, pages + 1):
        page = document.new_page()
        page.insert_text((72, 60), f"Chapter {number // 20 + 1}", fontsize=18)
        for line in range(25):
            page.insert_text((72, 100 + 22 * line), f"{number}.{line} {WORDS}"[:95], fontsize=10)
        page.draw_circle((300, 720), 10 + number % 40)
    data: bytes = document.tobytes(garbage=3, deflate=True)
    return data


def resident(system: System) -> dict[str, float]:
    """MiB by process name, split with its reader children."""
    found = {}
    for child in list(system.supervisor._children.values()):
        family = [psutil.Process(child.pid)]
        family += family[0].children(recursive=True)
        found[child.spec.name] = sum(p.memory_info().rss for p in family) / 2**20
    return found


async def measure(pages: int, engine: str) -> None:
    """Convert and print."""
    book = make_book(pages)
    async with run_system(engines=engine, engine_classes=TEXT_ENGINE) as system:
        job = await system.submit(book, engine=engine)
        for tenth in range(1, 11):
            goal = pages * tenth // 10
            job = await system.until(job, lambda j, g=goal: j.counts.settled >= g, seconds=3600)
            shown = "  ".join(f"{n} {mib:.0f}" for n, mib in sorted(resident(system).items()))
            print(f"{job.counts.settled:5d} pages: {shown}", flush=True)
        job = await system.finished(job, seconds=600)
        data = system.settings.data
        size = sum(p.stat().st_size for p in Path(data).rglob("*") if p.is_file()) / 2**20
        print(
            f"{job.state}: {job.counts.done} done, {(job.finished or 0) - job.created:.1f} s; ",
            end="",
        )
        print(f"document {len(book) / 2**20:.1f} MiB, data directory {size:.1f} MiB")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--engine", default="pymupdf")
    asked = parser.parse_args()
    asyncio.run(measure(asked.pages, asked.engine))


if __name__ == "__main__":
    main()
