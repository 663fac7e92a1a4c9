"""What the quality gate says of the CPU engine's answers on a corpus of good pages.

`python tests/bench/gate_alarms.py [--pages 3]` reads the first pages of each document of the
corpus, as split would hand them over, once as they come and once as pixels only, and prints each
finding: on these pages each is a false alarm, or a page that the engine really failed on.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engines.registry import make_engine  # noqa: E402
from shared.blocks import PageOutput  # noqa: E402
from shared.errors import QuireError  # noqa: E402
from shared.ocr_backend import PDF, RGB, PageBatch, PageInput  # noqa: E402
from shared.settings import Settings  # noqa: E402
from stages.gate import Thresholds, judge  # noqa: E402
from stages.reader import DocumentReader, PageWant, ReaderLimits  # noqa: E402


def main() -> None:
    """Read, judge, count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    given = parser.parse_args()
    settings = Settings()
    engine = make_engine("pymupdf", settings, None)
    engine.load()
    pages = alarms = 0
    seconds = 0.0
    for path in sorted((given.corpus / "dev").iterdir()):
        if path.is_dir() or path.suffix == ".csv":
            continue
        try:
            with DocumentReader(path, ReaderLimits.of(settings)) as reader:
                count = min(given.pages, reader.open().pages)
                for number in range(1, count + 1):
                    forms = ((PDF,), (RGB,)) if path.suffix == ".pdf" else ((RGB,),)
                    for accepts in forms:
                        page = reader.page(number, PageWant(accepts=accepts))
                        given_page = PageInput(
                            "k", page.media_type, page.data, page.width, page.height, page.dpi
                        )
                        batch = PageBatch([given_page])
                        [(_, answer)] = engine.recognize(batch, lambda: None)
                        if not isinstance(answer, PageOutput):
                            print(f"{path.name} page {number}: {answer}")
                            continue
                        at = time.perf_counter()
                        found = judge(answer, page.ink, Thresholds.of(settings))
                        seconds += time.perf_counter() - at
                        pages += 1
                        if found is not None:
                            alarms += 1
                            print(f"{path.name} page {number} ({answer.source}): {found.sentence}")
        except QuireError as error:
            print(f"{path.name}: {error}")
    engine.close()
    print(f"{pages} answers, {alarms} findings, {1000 * seconds / max(pages, 1):.2f} ms each")


if __name__ == "__main__":
    main()
