"""Seconds and peak memory of merging synthetic jobs: `python tests/bench/merge.py [PAGES ...]`.

Each size runs in a process of its own, results made on the fly and artifacts written to disk.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from shared.records import PageResult  # noqa: E402
from stages.merge import write_artifacts  # noqa: E402
from store.blobs import BlobStore  # noqa: E402
from tests.fakes.merge_jobs import block, job, result, task  # noqa: E402

SENTENCE = "It was the best of times, it was the worst of times, a *well-known* beginning of $x^2$"
TABLE = "<table><tr><th>Year</th><th>Sum</th></tr>" + "<tr><td>1</td><td>2</td></tr>" * 20


def page_blocks(page: int) -> Iterator[PageResult]:
    """About 3,000 characters: a head, headings, prose, a table across pages, a list."""
    blocks = [
        block("text", 0, "A Tale of Two Cities", bbox=(0.1, 0.02, 0.9, 0.04)),
        block("heading", 1, f"{page} Chapter", level=1),
        block("list", 2, "- one\n- two\n  - three"),
        *(block("text", 3 + n, f"{SENTENCE} {n}. " * 3) for n in range(8)),
        block("table", 11, f"{TABLE}</table>", bbox=(0.1, 0.6, 0.9, 0.8)),
        block("text", 12, f"which goes on {SENTENCE}", bbox=(0.1, 0.8, 0.9, 0.84)),
        block("text", 13, str(page), bbox=(0.5, 0.96, 0.52, 0.97)),
    ]
    yield result(page, blocks)


def run(pages: int) -> None:
    """One size, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        blobs = BlobStore(Path(folder))
        began = perf_counter()
        made = write_artifacts(
            job(),
            lambda: (r for page in range(1, pages + 1) for r in page_blocks(page)),
            [task(page) for page in range(1, pages + 1)],
            blobs,
        )
        seconds = perf_counter() - began
        sizes = {name: blobs.path(sha256).stat().st_size >> 10 for name, sha256 in made.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    listed = ", ".join(f"{name} {size} KiB" for name, size in sizes.items())
    print(
        f"{pages:6} pages  {seconds:7.2f} s  {1000 * seconds / pages:6.2f} ms a page  "
        f"peak {peak:6.1f} MiB  ({listed})"
    )


def main() -> None:
    """All sizes, one process each."""
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        run(int(sys.argv[2]))
        return
    for pages in [int(word) for word in sys.argv[1:]] or [20, 200, 2000]:
        subprocess.run([sys.executable, __file__, "--one", str(pages)], check=True)


if __name__ == "__main__":
    main()
