"""Accuracy on the corpus: quire's CPU engine beside programs that do the same work.

Run from the project root: `python tests/bench/accuracy.py [--files NAME...]`. All of them read the
same pages in the same run; `--kept FOLDER` keeps what each program wrote, and a later run scores
that again instead of running it (`--again quire` runs this one all the same). With `--run` only
those named are run; of the others what was kept is scored, and nothing shown where nothing was.

NED (lower is better) is the edit distance of the whole text over its length, TEDS (higher is
better) likeness of tables, order (lower is better) the share of the text that stands out of its
place, seconds those of the call, models already loaded. Tables go to `--report` between its marks;
what is written outside them stays.
"""

import argparse
import csv
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pymupdf  # noqa: E402
from PIL import Image, ImageOps, ImageSequence  # noqa: E402
from rapidfuzz.distance import Levenshtein  # noqa: E402

from engines.registry import make_engine  # noqa: E402
from shared.blocks import PageOutput  # noqa: E402
from shared.ocr_backend import PageBatch, PageInput  # noqa: E402
from shared.render import page_markdown  # noqa: E402
from shared.settings import Settings  # noqa: E402
from stages.reader import DocumentReader, PageWant, ReaderLimits  # noqa: E402

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
DPI = 200  # at which the programs that take pictures get a PDF
CLEARLY = 0.005  # a difference of NED or TEDS below this is none
TRUTH = re.compile(r"(?:\.p(?P<page>\d+))?\.(?:nospace\.md|tables\.md|tests\.jsonl|md)$")


@dataclass(frozen=True)
class Case:
    """One text to compare: a whole file (`page` None) or one of its pages."""

    path: Path
    page: int | None
    truth: Path
    kind: str
    upper: bool

    @property
    def name(self) -> str:
        page = f" p{self.page}" if self.page else ""
        return f"{self.path.name}{page}"

    @property
    def languages(self) -> str:
        """Tesseract's languages; it is told the script, the others are not."""
        if re.search("chinese|cjk", self.kind, re.IGNORECASE):
            return "chi_sim+eng"
        return "eng+fra+nld+deu"

    def pages(self) -> list[int]:
        if self.page:
            return [self.page]
        with pymupdf.open(self.path) as document:
            return list(range(1, document.page_count + 1))


Program = Callable[[Case, int], str]


def cases(corpus: Path, names: list[str]) -> list[Case]:
    found = []
    with (corpus / "dev" / "manifest.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if names and not any(name in row["path"] for name in names):
                continue
            for truth in filter(None, row["truth"].split(";")):
                match = TRUTH.search(truth)
                page = int(match["page"]) if match and match["page"] else None
                upper = "case-insensitively" in row["why"]
                kind = row["kind"]
                found.append(Case(corpus / row["path"], page, corpus / truth, kind, upper))
    return found


def quire() -> Program:
    engine = make_engine("pymupdf", Settings(), None)
    engine.load()
    limits = engine.capabilities

    def read(case: Case, page: int) -> str:
        with DocumentReader(case.path, ReaderLimits()) as reader:
            reader.open()
            want = PageWant(
                accepts=limits.accepts,
                dpi=limits.dpi,
                max_pixels=limits.max_pixels,
                preview_pixels=0,
            )
            got = reader.page(page, want)
        given = PageInput("", got.media_type, got.data, got.width, got.height, got.dpi, page)
        ((_, answer),) = engine.recognize(PageBatch([given]), lambda: None)
        return page_markdown(answer.blocks) if isinstance(answer, PageOutput) else ""

    return read


def pymupdf4llm_direct() -> Program:
    import pymupdf4llm  # noqa: PLC0415

    def read(case: Case, page: int) -> str:
        with pymupdf.open(case.path) as source, pymupdf.open() as single:
            if not source.is_pdf:
                source = pymupdf.open("pdf", source.convert_to_pdf())  # noqa: PLW2901
            single.insert_pdf(source, from_page=page - 1, to_page=page - 1)
            return str(pymupdf4llm.to_markdown(single, show_progress=False))

    return read


def rapidocr_direct() -> Program:
    from rapidocr import RapidOCR  # noqa: PLC0415

    program = RapidOCR()

    def read(case: Case, page: int) -> str:
        found = program(np.asarray(picture(case.path, page))[:, :, ::-1])
        return "\n".join(found.txts or ())

    return read


def tesseract_direct() -> Program:
    def read(case: Case, page: int) -> str:
        image = io.BytesIO()
        picture(case.path, page).save(image, "png", dpi=(DPI, DPI))
        command = ["tesseract", "stdin", "stdout", "-l", case.languages, "--psm", "1"]
        alone = os.environ | {"OMP_THREAD_LIMIT": "1"}  # its threads cost more than they gain
        done = subprocess.run(
            command, input=image.getvalue(), capture_output=True, check=False, env=alone
        )
        return done.stdout.decode("utf-8", "replace")

    return read


MINERU = """
import sys
from mineru.parser import MinerUParser
if __name__ == "__main__":
    parsed = MinerUParser(tier="flash", parse_mode="auto").parse(sys.argv[1])
    open(sys.argv[2], "w", encoding="utf-8").write(parsed.markdown())
"""


def mineru_flash(python: str) -> Program:
    """MinerU in a Python of its own; its models and the interpreter load within the seconds."""

    def read(case: Case, page: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            script, given, written = folder / "run.py", folder / "page.pdf", folder / "page.md"
            script.write_text(MINERU, encoding="utf-8")
            if case.path.suffix == ".pdf":
                with pymupdf.open(case.path) as source, pymupdf.open() as single:
                    single.insert_pdf(source, from_page=page - 1, to_page=page - 1)
                    single.save(given)
            else:
                picture(case.path, page).save(given, "pdf", resolution=DPI)
            subprocess.run([python, script, given, written], capture_output=True, check=True)
            return written.read_text(encoding="utf-8")

    return read


def picture(path: Path, page: int) -> Image.Image:
    """The page upright as its file says, RGB; a PDF at `DPI`, an image as it is."""
    if path.suffix == ".pdf":
        with pymupdf.open(path) as document:
            pixels = document[page - 1].get_pixmap(dpi=DPI, alpha=False)
            return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)
    with Image.open(path) as image:
        frame = ImageOps.exif_transpose(list(ImageSequence.Iterator(image))[page - 1].copy())
        if frame.mode in {"RGBA", "LA", "P"}:
            white = Image.new("RGBA", frame.size, "white")
            frame = Image.alpha_composite(white, frame.convert("RGBA"))
        return frame.convert("RGB")


@dataclass(frozen=True)
class Result:
    """Figures of one program on one case; None where the truth says nothing about it."""

    ned: float | None
    teds: float | None
    order: float | None
    seconds: float


class Runner:
    """Runs the programs and keeps what they wrote."""

    def __init__(
        self, kept: Path | None, again: list[str], scorer: Any, wanted: list[str] | None = None
    ) -> None:
        self._kept, self._again, self._scorer = kept, again, scorer
        self._wanted = wanted
        self._loaded: dict[str, Program] = {}

    def run(self, name: str, load: Callable[[], Program], case: Case) -> Result | None:
        place = self._kept / f"{case.truth.name}.{name}.json" if self._kept else None
        if place and place.is_file() and name not in self._again:
            done = json.loads(place.read_text(encoding="utf-8"))
        elif self._wanted is not None and name not in self._wanted:
            return None
        else:
            if name not in self._loaded:
                self._loaded[name] = load()
            started = time.perf_counter()
            try:
                text = "\n\n".join(self._loaded[name](case, page) for page in case.pages())
            except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
                print(f"{name} fails on {case.name}: {error}", file=sys.stderr)
                text = ""
            done = {"text": text, "seconds": time.perf_counter() - started}
            if place:
                place.write_text(json.dumps(done, ensure_ascii=False), encoding="utf-8")
        return self._score(case, done["text"], done["seconds"])

    def _score(self, case: Case, text: str, seconds: float) -> Result:
        truth = case.truth.read_text(encoding="utf-8")
        if case.truth.suffix == ".jsonl":
            tests = [json.loads(line) for line in truth.splitlines() if line.strip()]
            got = [passed for *_, passed in self._scorer.run_tests(tests, text)]
            return Result(1 - sum(got) / len(got) if got else None, None, None, seconds)
        if case.upper:
            truth, text = truth.upper(), text.upper()
        figures = self._scorer.score(truth, text)
        if ".nospace." in case.truth.name:
            return Result(self._spaceless(truth, text), None, None, seconds)
        result = Result(figures["ned"], figures.get("teds"), figures.get("order"), seconds)
        return replace(result, ned=None, order=None) if ".tables." in case.truth.name else result

    def _spaceless(self, truth: str, text: str) -> float:
        """NED of letters and digits alone, those in tables too."""
        letters = [
            self._scorer.words_only(self._scorer.normalise(self._scorer.prepare(each)[0]))
            for each in (truth, text)
        ]
        return float(Levenshtein.normalized_distance(*letters))


Row = dict[str, Result | None]  # by program


def show(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def report(rows: dict[str, Row], programs: list[str]) -> str:
    """Two Markdown tables: means, then each case, where a better peer is marked."""
    text = ["Means over the texts that both have read, the peer's first, then quire's:", ""]
    text += ["| peer | texts | NED | TEDS | order | seconds |", "|---" * 6 + "|"]
    for name in programs[1:]:
        both = [(row[name], row["quire"]) for row in rows.values() if row[name] and row["quire"]]
        columns = [str(len(both))]
        for field, digits in (("ned", 3), ("teds", 2), ("order", 3), ("seconds", 1)):
            pairs = [(getattr(peer, field), getattr(own, field)) for peer, own in both]
            known = [pair for pair in pairs if None not in pair]
            means = [show(fmean(values), digits) for values in zip(*known, strict=True)]
            columns.append(" / ".join(means))
        text.append(f"| {name} | {' | '.join(columns)} |")
    text += ["", f"NED / TEDS / order / seconds of each, over {len(rows)} texts:", ""]
    text += [f"| text | {' | '.join(programs)} | better |", "|---" * (len(programs) + 2) + "|"]
    for case, row in rows.items():
        cells = [
            f"{show(r.ned, 3)} / {show(r.teds, 2)} / {show(r.order, 2)} / {r.seconds:.1f}"
            if r
            else "not run"
            for r in row.values()
        ]
        text.append(f"| {case} | {' | '.join(cells)} | {better(row)} |")
    return "\n".join(text)


def better(row: Row) -> str:
    """Which peers beat quire here, and in what."""
    own, marks = row["quire"], []
    for name, peer in row.items():
        if own is None or peer is None:
            continue
        if own.ned is not None and peer.ned is not None and peer.ned < own.ned - CLEARLY:
            marks.append(f"{name} NED")
        if own.teds is not None and peer.teds is not None and peer.teds > own.teds + CLEARLY:
            marks.append(f"{name} TEDS")
    return ", ".join(marks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--files", nargs="*", default=[], help="parts of file names")
    parser.add_argument("--mineru-python", help="a Python that has MinerU; without it not run")
    parser.add_argument("--kept", type=Path, help="folder for what the programs wrote")
    parser.add_argument("--again", nargs="*", default=[], help="programs to run all the same")
    parser.add_argument("--run", nargs="*", help="programs to run; without it all")
    parser.add_argument("--report", type=Path, help="Markdown file to write, else standard output")
    given = parser.parse_args()
    where = importlib.util.spec_from_file_location("score", given.corpus / "score.py")
    assert where
    assert where.loader
    scorer = importlib.util.module_from_spec(where)
    where.loader.exec_module(scorer)
    if given.kept:
        given.kept.mkdir(parents=True, exist_ok=True)
    programs: dict[str, Callable[[], Program]] = {
        "quire": quire,
        "pymupdf4llm": pymupdf4llm_direct,
        "RapidOCR": rapidocr_direct,
        "Tesseract 5": tesseract_direct,
    }
    if given.mineru_python:
        programs["MinerU flash"] = lambda: mineru_flash(given.mineru_python)
    runner = Runner(given.kept, given.again, scorer, given.run)
    rows: dict[str, Row] = {}
    for case in cases(given.corpus, given.files):
        row = {name: runner.run(name, load, case) for name, load in programs.items()}
        if not any(row.values()):
            continue
        rows[case.name] = row
        print(case.name, better(row), file=sys.stderr, flush=True)
    cores = len(os.sched_getaffinity(0))
    told = "" if given.mineru_python else " MinerU was not run."
    text = f"Machine: x86-64, {cores} cores, no GPU.{told}\n\n{report(rows, list(programs))}"
    if not given.report:
        print(text)
        return
    old = given.report.read_text(encoding="utf-8") if given.report.is_file() else f"{BEGIN}\n{END}"
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    given.report.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
