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
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rapidfuzz.distance import Levenshtein  # noqa: E402

from tests.bench.accuracy_programs import (  # noqa: E402
    Case,
    Program,
    cases,
    mineru_flash,
    pymupdf4llm_direct,
    quire,
    rapidocr_direct,
    tesseract_direct,
)

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
CLEARLY = 0.005  # a difference of NED or TEDS below this is none


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
