"""What each step of merging does to the text: NED on the corpus with the step and without it.

Run from the project root: `python tests/bench/merge_accuracy.py --kept FOLDER`. The CPU engine
reads each page once and its raw output is kept in the folder; later runs only merge. A difference
below 0 means that the step makes the text better.
"""

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engines.registry import make_engine, parse_raw  # noqa: E402
from shared.blocks import PageOutput  # noqa: E402
from shared.merge_steps import STEPS  # noqa: E402
from shared.ocr_backend import PageBatch, PageInput  # noqa: E402
from shared.records import PageResult  # noqa: E402
from shared.render import MarkdownFlow  # noqa: E402
from shared.settings import Settings  # noqa: E402
from stages.merge import merge, survey  # noqa: E402
from stages.reader import DocumentReader, PageWant, ReaderLimits  # noqa: E402
from tests.bench.accuracy_programs import Case, cases  # noqa: E402
from tests.fakes.merge_jobs import job, task  # noqa: E402

ENGINE = "pymupdf"


class Reading:
    """The engine, loaded when a page is not kept yet."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._engine: Any = None
        kept.mkdir(parents=True, exist_ok=True)

    def page(self, case: Case, page: int) -> PageResult:
        place = self._kept / f"{case.path.name}.p{page}.json"
        if not place.is_file():
            place.write_text(json.dumps(self._read(case, page)), encoding="utf-8")
        facts = json.loads(place.read_text(encoding="utf-8"))
        raw = facts.pop("raw").encode()
        blocks = parse_raw(ENGINE, raw, {}, Settings()) if raw else ()
        return PageResult(
            job="j",
            page=page,
            engine="fake",
            blocks=blocks,
            markdown="",
            text=" ".join(block.content for block in blocks),
            raw=raw,
            raw_media_type="application/json",
            **facts,
        )

    def _read(self, case: Case, page: int) -> dict[str, Any]:
        if self._engine is None:
            self._engine = make_engine(ENGINE, Settings(), None)
            self._engine.load()
        takes = self._engine.capabilities
        with DocumentReader(case.path, ReaderLimits()) as reader:
            reader.open()
            want = PageWant(
                accepts=takes.accepts,
                dpi=takes.dpi,
                max_pixels=takes.max_pixels,
                preview_pixels=0,
            )
            got = reader.page(page, want)
        given = PageInput("", got.media_type, got.data, got.width, got.height, got.dpi, page)
        ((_, answer),) = self._engine.recognize(PageBatch([given]), lambda: None)
        if not isinstance(answer, PageOutput):
            return {"raw": "", "width": 0.0, "height": 0.0}
        return {"raw": answer.raw.decode(), "width": answer.width, "height": answer.height}


def markdown(results: list[PageResult], skip: frozenset[str]) -> str:
    """The pages as one document, merged without these steps."""

    def fresh() -> Iterator[PageResult]:
        return iter(results)

    tasks = [task(result.page) for result in results]
    found = survey(job(), fresh, tasks, skip=skip)
    flow = MarkdownFlow()
    flow.compounds = found.compounds
    flow.join_breaks = "lines" not in skip
    parts = [
        part
        for page in merge(job(), fresh, tasks, found)
        for part in flow.page(page.number, page.blocks)
    ]
    return "".join([*parts, *flow.finish()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--kept", type=Path, required=True, help="folder for the raw output")
    parser.add_argument("--files", nargs="*", default=[], help="parts of file names")
    given = parser.parse_args()
    where = importlib.util.spec_from_file_location("score", given.corpus / "score.py")
    assert where
    assert where.loader
    scorer = importlib.util.module_from_spec(where)
    where.loader.exec_module(scorer)
    reading = Reading(given.kept)
    variants = {"all steps": frozenset[str]()} | {
        f"without {step.name}": frozenset({step.name}) for step in STEPS
    }
    variants["no step"] = frozenset(step.name for step in STEPS)
    neds: dict[str, dict[str, float]] = {name: {} for name in variants}
    seconds = 0.0
    for case in cases(given.corpus, given.files):
        if ".tables." in case.truth.name or ".nospace." in case.truth.name:
            continue
        if case.truth.suffix == ".jsonl":
            continue
        results = [reading.page(case, page) for page in case.pages()]
        truth = case.truth.read_text(encoding="utf-8")
        for name, skip in variants.items():
            started = time.perf_counter()
            text = markdown(results, skip)
            seconds += time.perf_counter() - started if name == "all steps" else 0.0
            pair = (truth.upper(), text.upper()) if case.upper else (truth, text)
            neds[name][case.name] = scorer.score(*pair)["ned"]
        print(case.name, neds["all steps"][case.name], neds["no step"][case.name], file=sys.stderr)
    report(neds, seconds)


def report(neds: dict[str, dict[str, float]], seconds: float) -> None:
    """A Markdown table: mean NED of each variant, and the texts that a step changes."""
    whole = neds["all steps"]
    print(f"{len(whole)} texts, {1000 * seconds / max(1, len(whole)):.1f} ms of merging each\n")
    print("| variant | mean NED | texts that the step makes better / worse |")
    print("|---|---|---|")
    for name, found in neds.items():
        better = [text for text, ned in found.items() if whole[text] < ned - 0.0005]
        worse = [text for text, ned in found.items() if whole[text] > ned + 0.0005]
        named = f"{len(better)} / {len(worse)} {', '.join(worse)}".strip()
        print(f"| {name} | {fmean(found.values()):.4f} | {named} |")


if __name__ == "__main__":
    main()
