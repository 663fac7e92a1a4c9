"""How long until large screens are there: a job of 2,000 pages, a page of 500 blocks, the history.

    .venv/bin/python -m tests.bench.screens [--runs 5] [--pages 2000] [--blocks 500] [--jobs 300]

A real server over a store that is filled first, looked at by Debian's chromium without a cache.
First paint and load are the browser's own figures; `turned` is from the choice of page 1,000 until
that is shown; `longest task` is the longest that the page did not react while it loaded.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
from pathlib import Path

import pymupdf
from playwright.async_api import Browser, async_playwright

from shared.blocks import Block, BlockType
from shared.records import Job, NewJob, PageResult, Settled
from shared.settings import Settings, load_settings
from shared.states import PageState
from store import Store
from tests.fakes.web_system import free_ports, serving

_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_LONG_TASKS = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({ type: "longtask", buffered: true });
"""
_FIGURES = """async () => {
  const paint = await new Promise((resolve) => new PerformanceObserver((list) => {
    const found = list.getEntriesByName("first-contentful-paint")[0];
    if (found) resolve(found.startTime);
  }).observe({ type: "paint", buffered: true }));
  const load = performance.getEntriesByType("navigation")[0].loadEventEnd;
  return { paint, load, longest: window.longest };
}"""


def fill(store: Store, pages: int, blocks: int, jobs: int) -> Job:
    """A job of so many pages, the first with so many blocks; and other jobs for the history."""
    with store.blobs.writer() as writer:
        writer.write(b"%PDF-1.7 a long book")
        document, size = writer.commit()
    store.add_document(document, "application/pdf", size)
    (job,) = store.add_jobs([NewJob(document, "book.pdf", engine="pymupdf")])
    for number in range(jobs):
        store.add_document(document, "application/pdf", size)
        store.add_jobs([NewJob(document, f"other {number}.pdf", engine="pymupdf")])
    store.start_job(job.id, pages, [(page, "pymupdf") for page in range(1, pages + 1)])
    with pymupdf.open() as picture:
        picture.new_page()
        preview = picture[0].get_pixmap(dpi=110).tobytes("png")
    store.add_page_images(job.document.id, {1: store.blobs.put(preview)})
    for start in range(1, pages + 1, 100):
        store.settle(
            [_settled(job, page, blocks if page == 1 else 8) for page in range(start, start + 100)]
        )
    return store.finish_job(job.id, {"md": store.blobs.put(b"# A book\n")})


def _settled(job: Job, page: int, count: int) -> Settled:
    made = tuple(
        Block(
            BlockType.TEXT,
            order,
            (0.1, order / count, 0.9, (order + 0.8) / count),
            f"Paragraph {order} of page {page} has a *few* words and $x_{{{order}}}^2$. " * 2,
        )
        for order in range(count)
    )
    text = " ".join(block.content for block in made)
    result = PageResult(
        job=job.id,
        page=page,
        engine="pymupdf",
        blocks=made,
        markdown=text,
        text=text,
        raw=b"{}",
        raw_media_type="application/json",
        width=595,
        height=842,
    )
    return Settled(job.id, page, "pymupdf", PageState.DONE, milliseconds=10.0, result=result)


async def look(browser: Browser, address: str, runs: int, turn: bool) -> dict[str, float]:
    """Medians in milliseconds."""
    found: dict[str, list[float]] = {}
    for _ in range(runs):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        await page.add_init_script(_LONG_TASKS)
        await page.goto(address)
        figures = await page.evaluate(_FIGURES)
        if turn:
            figures["turned"] = await page.evaluate(
                """() => new Promise((resolve) => {
                    const begun = performance.now();
                    new MutationObserver(() => {
                        if (document.querySelector(".sheet[data-number='1000']"))
                            requestAnimationFrame(() => resolve(performance.now() - begun));
                    }).observe(document.querySelector("#reading"), { childList: true });
                    const field = document.querySelector("[data-goto]");
                    field.value = 1000;
                    field.dispatchEvent(new Event("change", { bubbles: true }));
                })"""
            )
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
        await context.close()
    return {name: statistics.median(values) for name, values in found.items()}


async def measure(arguments: argparse.Namespace) -> None:
    """Print one line for each screen."""
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as folder:
        port, bus, events = free_ports(3)
        settings: Settings = load_settings(
            {
                "data": Path(folder),
                "port": port,
                "bus": f"tcp://127.0.0.1:{bus}",
                "bus_events": f"tcp://127.0.0.1:{events}",
            },
            environ={},
        )
        store = Store.open(settings)
        job = fill(store, arguments.pages, arguments.blocks, arguments.jobs)
        chromium = shutil.which("chromium")
        async with serving(settings) as client, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
            screens = {
                f"job of {arguments.pages} pages, page of {arguments.blocks} blocks": (
                    f"/jobs/{job.id}",
                    True,
                ),
                f"history of {arguments.jobs} jobs": ("/jobs", False),
                "start page": ("/", False),
            }
            print("| screen | first paint ms | load ms | longest task ms | turned ms |")
            print("|---|---|---|---|---|")
            for name, (path, turn) in screens.items():
                took = await look(browser, f"{client.base_url}{path}", arguments.runs, turn)
                turned = f"{took['turned']:.0f}" if turn else ""
                row = f"{took['paint']:.0f} | {took['load']:.0f} | {took['longest']:.0f}"
                print(f"| {name} | {row} | {turned} |", flush=True)
            await browser.close()
        store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("runs", 5), ("pages", 2000), ("blocks", 500), ("jobs", 300)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asyncio.run(measure(parser.parse_args()))
