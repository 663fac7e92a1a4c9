"""Scans and VLM tiers through a MinerU process, with stand-ins for what has weights."""

import json
import re

import pymupdf
import pytest

from engines.registry import parse_raw
from shared.blocks import BlockType
from shared.states import JobState
from tests.fakes.mineru_basic import LATEX, make_basic_weights
from tests.fakes.scans import LINES, TITLE, scan

# several real processes in turn, each loading MinerU
pytestmark = pytest.mark.timeout(240)


async def read(system, data, **options):
    job = await system.submit(data, name="scan.png", engine="mineru", options=options)
    job = await system.finished(job)
    [task] = system.store.pages(job.id)
    assert job.state is JobState.DONE, task.reason
    assert task.attempts == 1
    [result] = system.store.results(job.id)
    assert parse_raw("mineru", result.raw, options, system.settings) == result.blocks
    return result


async def test_small_models_read_a_scan(running, weights):
    async with running(mineru_models=str(weights)) as system:
        for tier in ("flash", "basic"):
            result = await read(system, scan(), tier=tier)
            ran = json.loads(result.raw)["extensions"]["mineru"]
            assert ran == {"tier": tier, "parse_mode": "ocr"}
            assert result.blocks[0].type is BlockType.TITLE
            text = " ".join(block.content for block in result.blocks)
            assert TITLE in text
            assert [line for line in LINES if line not in text] == []


CELLS = {"item": (80, 410), "amount": (330, 410), "INV-1": (80, 500), "1000.50": (330, 500)}


def paper() -> bytes:
    """A picture of a page with a formula and a table where the stand-in of the layout has them."""
    document = pymupdf.open()
    page = document.new_page(width=595, height=842)
    page.insert_text((72, 70), TITLE, fontsize=24)
    page.insert_text((72, 150), "Some words of the text.", fontsize=13)
    page.insert_text((200, 285), "E = mc2", fontsize=18)
    for words, place in CELLS.items():
        page.insert_text(place, words, fontsize=14)
    data: bytes = page.get_pixmap(dpi=150).tobytes("png")
    document.close()
    return data


async def test_basic_reads_formulas_and_tables(running, tmp_path):
    weights = make_basic_weights(tmp_path / "weights")
    async with running(mineru_models=str(weights)) as system:
        result = await read(system, paper())
        assert json.loads(result.raw)["extensions"]["mineru"]["tier"] == "basic"  # the best here
        title, words, formula, table = result.blocks
        assert (title.content, words.content) == (TITLE, "Some words of the text.")
        assert formula.type is BlockType.EQUATION
        assert formula.content.split() == list(LATEX)
        assert formula.bbox == pytest.approx((0.05, 0.30, 0.95, 0.38), abs=0.01)
        assert table.type is BlockType.TABLE
        assert re.findall(r"<td>(.*?)</td>", table.content) == list(CELLS)
        assert system.store.has_image(result.job, table.image)
        job = system.store.job(result.job)
        text = system.store.blobs.read(job.artifacts["md"]).decode()
        assert "| item | amount |" in text
        flash = await read(system, paper(), tier="flash")
        assert BlockType.EQUATION not in {block.type for block in flash.blocks}


async def test_a_vlm_server_reads_what_the_tier_asks_of_it(running, weights, vlm):
    async with running(mineru_models=str(weights), mineru_vlm_url=vlm.url) as system:
        standard = await read(system, scan())
        assert json.loads(standard.raw)["extensions"]["mineru"]["tier"] == "standard"
        assert "Text as the stub reads it." in [block.content for block in standard.blocks]
        advanced = await read(system, scan(), tier="advanced")
        [table] = [block for block in advanced.blocks if block.type is BlockType.TABLE]
        assert "<td>INV-1</td>" in table.content
        assert table.image is not None
        assert system.store.has_image(advanced.job, table.image)
