"""A document through the whole system and a model that was trained to read it."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from shared.records import NewJob
from shared.states import JobState
from tests.train.drawing import draw_pdf
from tests.train.evaluate_tiny_ocr import distance, overlap
from tests.train.pages import make_page

MODEL = Path(__file__).resolve().parents[2] / "train" / "model"
PAGES = 6
UNSEEN_SEED = 20_261_124  # no training drew from it


@pytest.mark.timeout(200)  # two jobs on the CPU of a busy machine
async def test_unseen_pages_are_read_and_their_parts_are_where_they_were_drawn(running):
    draw = random.Random(UNSEEN_SEED)
    pages = [make_page(draw) for _ in range(PAGES)]
    settings = {"deepseek_model": str(MODEL), "deepseek_device": "cpu", "deepseek_batch": PAGES}
    async with running(engines="deepseek", **settings) as system:
        free = await system.submit(
            draw_pdf(pages), engine="deepseek", options={"prompt": "free", "max_tokens": 200}
        )
        placed = await system.add(
            NewJob(
                document_id=free.document.id,
                document_name="a.pdf",
                engine="deepseek",
                options={"prompt": "markdown", "max_tokens": 360},
            )
        )
        jobs = [await system.finished(job, 150) for job in (free, placed)]
        assert [job.state for job in jobs] == [JobState.DONE] * 2
        texts, places = (
            [system.store.page_result(job.id, number + 1) for number in range(PAGES)]
            for job in jobs
        )
        table = await system.table(lambda table: bool(table.of_engine("deepseek")))
        (worker,) = table.of_engine("deepseek")
        assert worker.model_loaded

    errors = characters = 0
    for result, page in zip(texts, pages, strict=True):
        errors += distance(json.loads(result.raw)["text"], page.free())
        characters += len(page.free())
        assert (result.source, result.model) == ("model", "deepseek-ocr-2")
    assert errors / characters <= 0.02

    overlaps: list[float] = []
    for result, page in zip(places, pages, strict=True):
        wanted = [paragraph.box for paragraph in page.paragraphs]
        found = [block.bbox for block in result.blocks]
        if len(found) == len(wanted):
            overlaps += [overlap(a, b) for a, b in zip(found, wanted, strict=True)]
        else:
            overlaps += [0.0] * len(wanted)
    assert np.mean(overlaps) >= 0.85, overlaps
    assert min(overlaps) >= 0.5, overlaps
