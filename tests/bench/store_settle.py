"""Pages a second that one collector can settle: `python tests/bench/store_settle.py [--profile]`.

Every batch is one durable transaction with page rows, results, raw output and search words, in a
database that already holds some thousand pages. The first line of a kind is a batch of one page.
`--beside N` adds N open pages of other jobs first: what they cost is what grows with the archive.
"""

import cProfile
import pstats
import random
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from shared.blocks import Block, BlockType  # noqa: E402
from shared.records import Job, Settled  # noqa: E402
from store import Store  # noqa: E402
from tests.fakes.store_work import done, open_store, started  # noqa: E402

WORDS = [f"word{n}" for n in range(5000)]
KINDS = {"small": (3, 12), "usual": (20, 25), "dense": (60, 40)}  # blocks, words of each


def batch_of(job: Job, first: int, size: int, kind: str) -> list[Settled]:
    """Pages of random words, so that neither zlib nor the index has it easy."""
    blocks, words = KINDS[kind]
    batch = []
    for page in range(first, first + size):
        texts = [" ".join(random.choices(WORDS, k=words)) for _ in range(blocks)]
        text = "\n\n".join(texts)
        made = tuple(
            Block(BlockType.TEXT, n, (0.1, 0.1, 0.9, 0.2), t, confidence=0.98, engine="pymupdf")
            for n, t in enumerate(texts)
        )
        batch.append(done(job, page, text, blocks=made, raw=text.encode()))
    return batch


def measure(store: Store, kind: str, size: int, pages: int) -> None:
    """Settle `pages` in batches of `size` and print the speed."""
    job = started(store, pages=pages)
    batches = [batch_of(job, first, size, kind) for first in range(1, pages + 1, size)]
    slowest = 0.0
    began, cpu_began = perf_counter(), process_time()
    for batch in batches:
        at = perf_counter()
        store.settle(batch)
        slowest = max(slowest, perf_counter() - at)
    seconds, cpu_seconds = perf_counter() - began, process_time() - cpu_began
    characters = len(batches[0][0].result.text if batches[0][0].result else "")
    print(
        f"{kind:6} {characters:6} characters  batches of {size:3}  {pages / seconds:7.0f} pages/s"
        f"  slowest batch {1000 * slowest:6.1f} ms"
        f"  {1e6 * cpu_seconds / pages:6.0f} us of CPU a page"
    )


def main() -> None:
    """All kinds and batch sizes, or a profile of small pages."""
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        if "--profile" in sys.argv:
            with cProfile.Profile() as profile:
                measure(store, "small", 64, 4096)
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        else:
            if "--beside" in sys.argv:
                started(store, pages=int(sys.argv[sys.argv.index("--beside") + 1]))
            measure(store, "small", 64, 2048)  # warm, and something to insert beside
            for kind in KINDS:
                for size, pages in ((1, 100), (16, 1024), (64, 2048), (256, 4096)):
                    measure(store, kind, size, pages)
        store.close()


if __name__ == "__main__":
    main()
