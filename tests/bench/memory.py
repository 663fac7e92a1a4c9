"""Memory of every process over a long document, and what it leaves on disk.

    .venv/bin/python tests/bench/memory.py [--pages 1000] [--engine pymupdf]

Makes a PDF with text and a drawing on each page, converts it, and prints resident memory in MiB
by process at each tenth of the job.

The web front runs too and is asked for the job each second. Figures are in SPEED.md.
"""

import argparse
import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
import psutil  # noqa: E402
import pymupdf  # noqa: E402

from tests.fakes.systems import TEXT_ENGINE, System, run_system  # noqa: E402
from tests.fakes.web_system import free_ports  # noqa: E402

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
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    async with (
        run_system(web=True, port=port, engines=engine, engine_classes=TEXT_ENGINE) as system,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client,
    ):
        job = await system.submit(book, engine=engine)
        asking = asyncio.ensure_future(look(client, job.id))
        for tenth in range(1, 11):
            goal = pages * tenth // 10
            job = await system.until(job, lambda j, g=goal: j.counts.settled >= g, seconds=3600)
            shown = "  ".join(f"{n} {mib:.0f}" for n, mib in sorted(resident(system).items()))
            print(f"{job.counts.settled:5d} pages: {shown}", flush=True)
        job = await system.finished(job, seconds=600)
        asking.cancel()
        data = system.settings.data
        size = sum(p.stat().st_size for p in Path(data).rglob("*") if p.is_file()) / 2**20
        print(
            f"{job.state}: {job.counts.done} done, {(job.finished or 0) - job.created:.1f} s; ",
            end="",
        )
        print(f"document {len(book) / 2**20:.1f} MiB, data directory {size:.1f} MiB")


async def look(client: httpx.AsyncClient, job: str) -> None:
    """What an open page of the job asks for, as long as it lasts."""
    while True:
        for path in ("/health", f"/api/v1/jobs/{job}", f"/api/v1/jobs/{job}/pages?limit=100"):
            try:
                await client.get(path)
            except httpx.TransportError:
                continue  # it is still starting
        await asyncio.sleep(1)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--engine", default="pymupdf")
    asked = parser.parse_args()
    asyncio.run(measure(asked.pages, asked.engine))


if __name__ == "__main__":
    main()
