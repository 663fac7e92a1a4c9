"""Born-digital pages through a MinerU process without weights."""

import importlib.util
import json
from pathlib import Path

import psutil
import pymupdf
import pytest

from engines.registry import parse_raw
from shared.render import page_markdown
from shared.states import JobState
from tests.fakes.systems import pdf_of

# several real processes in turn, each loading MinerU
pytestmark = pytest.mark.timeout(240)

# NED against the truth, a tenth above what was measured (tests/bench/mineru.py)
MOST = {
    ("dpr_two_column.pdf", "1", "dpr_two_column.pdf.p1.md"): 0.125,
    ("code_and_formula.pdf", "", "code_and_formula.pdf.md"): 0.02,
    ("faa_amt_handbook.pdf", "", "faa_amt_handbook.pdf.md"): 0.045,
    ("otsl_page9.pdf", "", "otsl_page9.pdf.md"): 0.085,
}


def score_of(corpus):
    where = importlib.util.spec_from_file_location("score", corpus / "score.py")
    scorer = importlib.util.module_from_spec(where)
    where.loader.exec_module(scorer)
    return scorer.score


def turned_page() -> bytes:
    """A page that is shown turned by 90 degrees, with its title at the top as shown."""
    document = pymupdf.open()
    page = document.new_page(width=600, height=800)
    page.insert_text((60, 760), "The title of a turned page", fontsize=20, rotate=90)
    for line in range(12):
        text = f"Line {line} of the text, which is long enough to be taken for one."
        page.insert_text((120 + 20 * line, 760), text, fontsize=10, rotate=90)
    page.set_rotation(90)
    data: bytes = document.tobytes()
    document.close()
    return data


def two_pages() -> bytes:
    """A paragraph that goes on over the page's end."""
    document = pymupdf.open()
    for text, top in (("which is written on the first page and", 700), ("ends on the second.", 72)):
        page = document.new_page()
        if top > 100:
            page.insert_text((72, 72), "A heading of its own", fontsize=18)
        lines = [f"{text} " * 2] if top < 100 else [f"It is a long paragraph {text} "] * 4
        for number, line in enumerate(lines):
            page.insert_text((72, top + 14 * number), line, fontsize=11)
    data: bytes = document.tobytes()
    document.close()
    return data


async def test_pages_come_through_with_their_middle_json(running):
    async with running() as system:
        job = await system.submit(pdf_of("Every page is a message.", ""), engine="mineru")
        job = await system.finished(job)
        assert job.counts.done == 2  # an empty page needs no model either
        assert "Every page is a message." in system.store.blobs.read(job.artifacts["md"]).decode()
        [page, _] = json.loads(system.store.blobs.read(job.artifacts["json"]))["pages"]
        assert [block["label"] for block in page["blocks"]] == ["text"]  # MinerU's own word
        [result, empty] = system.store.results(job.id)
        assert json.loads(result.raw)["schema"] == "docvortex.middle"
        assert parse_raw("mineru", result.raw, {}, system.settings) == result.blocks
        assert empty.blocks == ()

        job = await system.finished(await system.submit(turned_page(), engine="mineru"))
        [result] = system.store.results(job.id)
        assert (result.width, result.height) == (800, 600)  # as displayed
        first = min(result.blocks, key=lambda block: block.bbox[1])
        assert "The title" in first.content
        assert first.bbox[1] < 0.2
        assert first.bbox[2] - first.bbox[0] > first.bbox[3] - first.bbox[1]

        job = await system.finished(await system.submit(two_pages(), engine="mineru"))
        text = system.store.blobs.read(job.artifacts["md"]).decode()
        anchor = '<a id="page-2"></a>'
        assert f"the first page and {anchor} ends on the second." in " ".join(text.split())

        [scratch] = (Path(system.settings.data) / "scratch").iterdir()
        workers = psutil.Process(system.pid("mineru")).children()
    assert not scratch.exists()
    assert not any(worker.is_running() for worker in workers)


async def test_a_process_that_is_due_is_replaced_and_no_page_is_lost(running):
    async with running(engine_max_pages=8) as system:
        texts = [f"This is page number {n} of the book." for n in range(1, 13)]
        job = await system.finished(await system.submit(pdf_of(*texts), engine="mineru"))
        assert (job.state, job.counts.done) == (JobState.DONE, len(texts))
        assert all(task.crashes == 0 for task in system.store.pages(job.id))
        assert sum("starts anew" in line for line in system.log) >= 1


async def test_the_corpus_reads_as_it_did(running, corpus):
    score = score_of(corpus)
    async with running() as system:
        jobs = {}
        for file, pages, truth in MOST:
            data = (corpus / "dev" / file).read_bytes()
            jobs[file, pages, truth] = await system.submit(data, engine="mineru", pages=pages)
        for (file, pages, truth), job in jobs.items():
            done = await system.finished(job)
            assert done.counts.failed == 0
            results = list(system.store.results(job.id))
            text = "\n\n".join(page_markdown(result.blocks) for result in results)
            expected = (corpus / "dev" / "truth" / truth).read_text(encoding="utf-8")
            assert score(expected, text)["ned"] <= MOST[file, pages, truth], file
            for result in results:
                assert parse_raw("mineru", result.raw, {}, system.settings) == result.blocks
                for name in result.images:
                    assert system.store.has_image(job.id, name)
