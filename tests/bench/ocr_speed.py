"""Seconds a page and character errors: quire's line reader beside RapidOCR as installed.

Run from the project root: `python tests/bench/ocr_speed.py [--corpus FOLDER] [--pages N]`.

Both read the same pixels one after the other, models loaded and warm, in one process on all cores.
Wall time suffers from whatever else runs, so the process's CPU time is printed beside it. CER is
the edit distance over the length of the truth; receipts are compared without case. The lines of
both are put into one reading order, save in the third row of each page, which is the whole engine:
turned upright, laid out, with tables, as the service gives it. Figures are in SPEED.md.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean, median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pymupdf  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402

from engines.rapid.arrays import Pixels  # noqa: E402
from engines.rapid.reader import LineReader  # noqa: E402
from engines.reading_order import Item, order_items, rows_of  # noqa: E402
from engines.registry import make_engine  # noqa: E402
from shared.blocks import PageOutput  # noqa: E402
from shared.ocr_backend import RGB, PageBatch, PageInput  # noqa: E402
from shared.render import page_markdown  # noqa: E402
from shared.settings import Settings  # noqa: E402

DPI = 200
# File and truth; small and large, scans, photographs, receipts, columns, Chinese, a table.
PAGES = (
    ("edgar_image.pdf", "edgar_image.pdf.md"),
    ("receipt_006.jpg", "receipt_006.jpg.md"),
    ("dpr_two_column.pdf", "dpr_two_column.pdf.p1.md"),
    ("huck_c02-22.pdf", "huck_c02-22.pdf.md"),
    ("spring_festival_zh.png", "spring_festival_zh.png.md"),
    ("pubtabnet_PMC4840965_004_00.png", "pubtabnet_PMC4840965_004_00.png.md"),
    ("linn.png", "linn.png.md"),
    ("rotated_skew.pdf", "rotated_skew.pdf.md"),
    ("typewriter.png", "typewriter.png.md"),
    ("unlv_8087_054.tif", "unlv_8087_054.tif.md"),
    ("meditations.jpg", "meditations.jpg.md"),
    ("boston_cooking_a.jpg", "boston_cooking_a.jpg.md"),
    ("cfr_two_column.jpg", "cfr_two_column.jpg.md"),
    ("kant_0017.tif", "kant_0017.tif.md"),
    ("receipt_009.jpg", "receipt_009.jpg.md"),
    ("otsl_page9.pdf", "otsl_page9.pdf.md"),
    ("faa_amt_handbook.pdf", "faa_amt_handbook.pdf.md"),
    ("chinese_tables.pdf", "chinese_tables.pdf.md"),
)

Lines = list[tuple[Any, str]]  # box 4 x 2, text
WHOLE = "quire, whole page"


def main() -> None:
    """Print a row for each page, then means and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--pages", type=int, default=len(PAGES))
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    score = _scorer(given.corpus)
    ways = {
        "quire": _quire(given.precision),
        "rapidocr": _rapidocr(),
        WHOLE: _whole(given.precision),
    }
    print("| page | way | seconds | CPU seconds | CER |")
    print("|---|---|---|---|---|")
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    warm = load(given.corpus / "dev" / PAGES[0][0])
    for read in ways.values():
        read(warm)
    for file, truth_name in PAGES[: given.pages]:
        image = load(given.corpus / "dev" / file)
        truth = (given.corpus / "dev" / "truth" / truth_name).read_text(encoding="utf-8")
        for name, read in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            text = read(image)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if file.startswith("receipt"):
                truth, text = truth.upper(), text.upper()
            rows[name].append((wall, cpu, float(score(truth, text)["cer"])))
            figures = rows[name][-1]
            print(f"| {file} | {name} | {_row(figures)} |", flush=True)
    for name, figures_of in rows.items():
        print(
            f"| mean | {name} | {_row(fmean(column) for column in zip(*figures_of, strict=True))} |"
        )
    for place, what in ((0, "wall"), (1, "CPU")):
        pairs = [
            (theirs[place], ours[place])
            for ours, theirs in zip(rows["quire"], rows["rapidocr"], strict=True)
        ]
        whole = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
        print(f"{what}: {whole:.2f} times; median of pages {median(a / b for a, b in pairs):.2f}")


def load(path: Path) -> Pixels:
    """RGB pixels of a picture, or of a PDF's first page."""
    if path.suffix == ".pdf":
        with pymupdf.open(path) as document:
            shown = document[0].get_pixmap(dpi=DPI, colorspace=pymupdf.csRGB, alpha=False)
        pixels = np.frombuffer(shown.samples, np.uint8)
        return pixels.reshape(shown.height, shown.width, 3).copy()
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB")).copy()


def ordered(lines: Lines) -> str:
    """The text of the lines in reading order."""
    items = []
    for number, (box, text) in enumerate(lines):
        (x0, y0), (x1, y1) = np.min(box, axis=0), np.max(box, axis=0)
        items.append(Item(float(x0), float(y0), float(x1), float(y1), text, number))
    rows = [row for group in order_items(items) for row in rows_of(group.items)]
    return "\n".join(" ".join(item.text for item in row) for row in rows)


def _quire(precision: str) -> Callable[[Pixels], str]:
    reader = LineReader.open(runtime="auto", precision=precision, threads=0)

    def read(image: Pixels) -> str:
        found = reader.read(image, reader.boxes(image), lambda: None)
        return ordered([(line.box, line.text) for line in found])

    return read


def _whole(precision: str) -> Callable[[Pixels], str]:
    engine = make_engine("pymupdf", Settings(ocr_precision=precision), None)
    engine.load()

    def read(image: Pixels) -> str:
        height, width = image.shape[:2]
        page = PageInput("", RGB, image.tobytes(), width, height, DPI)
        ((_, answer),) = engine.recognize(PageBatch([page]), lambda: None)
        return page_markdown(answer.blocks) if isinstance(answer, PageOutput) else ""

    return read


def _rapidocr() -> Callable[[Pixels], str]:
    from rapidocr import RapidOCR  # noqa: PLC0415 - slow to import

    engine = RapidOCR(params={"Global.log_level": "error"})

    def read(image: Pixels) -> str:
        found = engine(np.ascontiguousarray(image[:, :, ::-1]))  # it takes BGR
        return ordered(list(zip(found.boxes, found.txts, strict=True)) if found.txts else [])

    return read


def _scorer(corpus: Path) -> Callable[[str, str], dict[str, Any]]:
    where = importlib.util.spec_from_file_location("score", corpus / "score.py")
    if where is None or where.loader is None:
        raise SystemExit(f"No score.py in {corpus}.")
    scorer = importlib.util.module_from_spec(where)
    where.loader.exec_module(scorer)
    done: Callable[[str, str], dict[str, Any]] = scorer.score
    return done


def _row(figures: Iterable[float]) -> str:
    wall, cpu, cer = figures
    return f"{wall:.2f} | {cpu:.2f} | {cer:.3f}"


if __name__ == "__main__":
    main()
