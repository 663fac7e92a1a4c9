"""MinerU through quire beside MinerUParser called directly: speed, accuracy, memory.

    .venv/bin/python tests/bench/mineru.py speed [--scanned] [--runs N] [--calm P] [--threads N]
    .venv/bin/python tests/bench/mineru.py accuracy
    .venv/bin/python tests/bench/mineru.py memory [--pages 1000]

`bash deploy/engine.sh mineru` comes first. `speed` reads the same files both ways in turns, models
loaded and warm: `MinerUParser.parse` of whole files, one after the other, and jobs from submission
to written artifacts. A run in which other programs took more than P% of the machine does not count,
and up to three times as many are made. Scans are read with the stand-ins of
tests/fakes/mineru_weights.py. `accuracy` scores flash on born-digital pages (NED, lower is better).
`memory` reads a book. Figures are in MINERU.md.
"""

import argparse
import asyncio
import importlib.util
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
import pymupdf  # noqa: E402

from shared.render import page_markdown  # noqa: E402
from tests.bench.memory import make_book  # noqa: E402
from tests.bench.mineru_runs import (  # noqa: E402
    machine_seconds,
    mineru,
    read_directly,
    read_with_quire,
)
from tests.fakes.mineru_weights import make_weights  # noqa: E402
from tests.fakes.scans import scan  # noqa: E402
from tests.fakes.systems import System  # noqa: E402

# file, page range
BORN_DIGITAL = (
    ("tracemonkey.pdf", "1-14"),
    ("irs_manual_400p.pdf", "1-40"),
    ("dpr_two_column.pdf", "1-2"),
    ("edgar.pdf", "1"),
    ("faa_amt_handbook.pdf", "1"),
    ("otsl_page9.pdf", "1"),
)
SCANS = 24  # pages of one document that is pixels only
SCAN_LINES = 24  # on each: a full page
TRUTHS = (  # file, page, truth
    ("edgar.pdf", 1, "edgar.pdf.md"),
    ("dpr_two_column.pdf", 1, "dpr_two_column.pdf.p1.md"),
    ("code_and_formula.pdf", 0, "code_and_formula.pdf.md"),
    ("chinese_tables.pdf", 1, "chinese_tables.pdf.md"),
    ("faa_amt_handbook.pdf", 1, "faa_amt_handbook.pdf.md"),
    ("otsl_page9.pdf", 1, "otsl_page9.pdf.md"),
    ("right_to_left_01.pdf", 1, "right_to_left_01.pdf.md"),
)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "accuracy", "memory"))
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--scanned", action="store_true")
    parser.add_argument("--at-once", type=int, default=0)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--calm", type=int, default=100, metavar="P", help="percent of others")
    parser.add_argument("--threads", type=int, default=0, help="of MinerU called directly")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    if given.threads:
        os.environ["MINERU_INTRA_OP_NUM_THREADS"] = str(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights"
        weights.mkdir()
        if given.what == "speed" and given.scanned:
            make_weights(weights)
            book = make_scans(Path(folder) / "scans.pdf", SCANS)
            compare_speed([(book, f"1-{SCANS}")], weights, given)
        elif given.what == "speed":
            listed = [(given.corpus / "dev" / name, pages) for name, pages in BORN_DIGITAL]
            compare_speed(listed, weights, given)
        elif given.what == "accuracy":
            compare_accuracy(given.corpus)
        else:
            asyncio.run(watch_memory(given.pages))


def make_scans(path: Path, pages: int) -> Path:
    """A PDF of so many pages that are pictures, as scanners make them."""
    with pymupdf.open() as document:
        for number in range(pages):
            picture = pymupdf.Pixmap(scan(SCAN_LINES, 1 + SCAN_LINES * number))
            page = document.new_page()
            page.insert_image(page.rect, stream=picture.tobytes("jpeg", jpg_quality=90))
        document.save(path)
    return path


def compare_speed(files: list[tuple[Path, str]], weights: Path, given: argparse.Namespace) -> None:
    """Pages a second both ways in turns, and the ratios."""
    found: list[tuple[float, ...]] = []
    for _ in range(given.runs if given.calm >= 100 else 3 * given.runs):
        if len(found) == given.runs:
            break
        before = machine_seconds()
        directly, _ = read_directly(files, weights)
        print(f"directly: {directly}", flush=True)
        flags = {"mineru_models": str(weights), "mineru_pages": given.at_once}
        ours = asyncio.run(read_with_quire(files, flags))
        print(f"quire:    {ours}", flush=True)
        busy, own, all_ = (now - then for now, then in zip(machine_seconds(), before, strict=True))
        others = 100 * (busy - own) / all_
        print(f"others took {others:.0f}% of the machine", flush=True)
        assert ours.pages == directly.pages
        cpu = directly.cpu["mineru"]
        ratios = (
            directly.seconds / ours.seconds,
            cpu / sum(ours.cpu.values()),
            cpu / ours.cpu["mineru"],
        )
        print("ratio {:.2f}; by CPU {:.2f}, of the engine alone {:.2f}".format(*ratios), flush=True)
        if others <= given.calm:
            found.append(ratios)
    print(f"{len(found)} runs count")
    medians = (statistics.median(values) for values in zip(*found, strict=True))
    print("median {:.2f}; by CPU {:.2f}, of the engine alone {:.2f}".format(*medians))


def compare_accuracy(corpus: Path) -> None:
    """NED of flash through quire and directly."""
    score = _scorer(corpus)
    files = [(corpus / "dev" / name, str(page) if page else "") for name, page, _ in TRUTHS]
    with tempfile.TemporaryDirectory() as folder:
        _, theirs = read_directly(files, Path(folder))
        ours = asyncio.run(_texts(files, Path(folder)))
    print("| page | quire | directly |\n|---|---|---|")
    for (name, _, truth), mine, direct in zip(TRUTHS, ours, theirs, strict=True):
        expected = (corpus / "dev" / "truth" / truth).read_text(encoding="utf-8")
        neds = [float(score(expected, text)["ned"]) for text in (mine, direct)]
        print(f"| {name} | {neds[0]:.3f} | {neds[1]:.3f} |")


async def _texts(files: list[tuple[Path, str]], weights: Path) -> list[str]:
    async with mineru(mineru_models=str(weights)) as system:
        texts = []
        for path, pages in files:
            options = {"tier": "flash", "ocr": "never"}
            job = await system.submit(
                path.read_bytes(), engine="mineru", pages=pages, options=options
            )
            await system.finished(job)
            texts.append("\n\n".join(page_markdown(r.blocks) for r in system.store.results(job.id)))
        return texts


async def watch_memory(pages: int) -> None:
    """Resident MiB of the engine with its render workers at each tenth of a book."""
    async with mineru() as system:
        job = await system.submit(make_book(pages), engine="mineru")
        for tenth in range(1, 11):
            goal = pages * tenth // 10
            job = await system.until(job, lambda j, g=goal: j.counts.settled >= g, seconds=3600)
            own, workers = _resident(system)
            print(f"{job.counts.settled:5d} pages: engine {own:.0f}, render workers {workers:.0f}")
        job = await system.finished(job, seconds=600)
        print(f"{job.state}: {job.counts.done} done, {(job.finished or 0) - job.created:.0f} s")


def _resident(system: System) -> tuple[float, float]:
    engine = psutil.Process(system.pid("mineru"))
    children = sum(child.memory_info().rss for child in engine.children(recursive=True))
    return engine.memory_info().rss / 2**20, children / 2**20


def _scorer(corpus: Path) -> Any:
    where = importlib.util.spec_from_file_location("score", corpus / "score.py")
    if where is None or where.loader is None:
        raise SystemExit(f"No score.py in {corpus}.")
    scorer = importlib.util.module_from_spec(where)
    where.loader.exec_module(scorer)
    return scorer.score


if __name__ == "__main__":
    main()
