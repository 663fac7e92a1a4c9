"""Several documents that are read in turns, as split reads those of several jobs.

    .venv/bin/python -m tests.bench.reader_turns [--documents 6] [--children N] [--pages 40]

Prints pages/s, CPU milliseconds a page (with the readers' children) and the memory of one child.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import psutil
import pymupdf

from stages.reader import PageWant, ReaderLimits, ReaderPool
from stages.split import CHILDREN

CHUNK = 4  # pages, as QUIRE_SPLIT_CHUNK_PAGES
LINES = 40


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=6)
    parser.add_argument("--children", type=int, default=CHILDREN)
    parser.add_argument("--pages", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = [document(Path(folder) / f"{n}.pdf", given.pages) for n in range(given.documents)]
        with ReaderPool(ReaderLimits(), children=given.children) as pool:
            started, before = time.perf_counter(), cpu_seconds()
            for first in range(1, given.pages + 1, CHUNK):
                for path in paths:
                    for page in range(first, min(first + CHUNK, given.pages + 1)):
                        pool.get(path.name, path).page(page, PageWant())
            seconds = time.perf_counter() - started
            rss = max(child.memory_info().rss for child in psutil.Process().children())
        pages = given.pages * given.documents
        each = 1000 * (cpu_seconds() - before) / pages
    print(
        f"{given.documents} documents, {given.children} children: {pages / seconds:.1f} pages/s, "
        f"{each:.0f} CPU ms a page, {rss / 2**20:.0f} MiB a child"
    )


def document(path: Path, pages: int) -> Path:
    """A document of text pages."""
    with pymupdf.open() as made:
        for number in range(pages):
            page = made.new_page()
            for line in range(LINES):
                text = f"Page {number + 1}, line {line + 1}: words that fill the line of a page."
                page.insert_text((60, 60 + 18 * line), text, fontsize=11)
        made.save(path)
    return path


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
