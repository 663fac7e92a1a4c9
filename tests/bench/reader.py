"""Milliseconds a page through the sandboxed reader: payload, preview, look at the text layer.

Run from the project root: `python tests/bench/reader.py [CORPUS]`.
"""

import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from stages.reader import DocumentReader, PageWant, ReaderLimits  # noqa: E402

FILES = (
    "irs_manual_400p.pdf",
    "GeoTopo.pdf",
    "tracemonkey.pdf",
    "small_ocr_zh_scan.pdf",
    "linn.png",
)


def main() -> None:
    """Print one row for each file."""
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "corpus"
    print("| file | pages | open ms | page ms, median | p95 | payload KB | preview KB |")
    print("|---|---|---|---|---|---|---|")
    for name in FILES:
        with DocumentReader(corpus / "dev" / name, ReaderLimits()) as reader:
            started = time.perf_counter()
            pages = reader.open().pages
            opened = time.perf_counter() - started
            times, payload, preview = [], 0, 0
            for number in range(1, min(pages, 100) + 1):
                started = time.perf_counter()
                page = reader.page(number, PageWant())
                times.append(1000 * (time.perf_counter() - started))
                payload, preview = payload + len(page.data), preview + len(page.preview)
            times.sort()
            count = len(times)
            print(
                f"| {name} | {pages} | {1000 * opened:.0f} | {statistics.median(times):.1f} "
                f"| {times[int(0.95 * (count - 1))]:.1f} | {payload / count / 1000:.0f} "
                f"| {preview / count / 1000:.0f} |"
            )


if __name__ == "__main__":
    main()
