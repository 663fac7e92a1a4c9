"""Scans and VLM tiers through a MinerU process, with stand-ins for what has weights."""

import json

import pymupdf
import pytest

from engines.registry import parse_raw
from shared.blocks import BlockType
from shared.states import JobState
from tests.fakes.mineru_weights import make_weights
from tests.fakes.vlm_server import VlmStub

TITLE = "Quarterly Report 2026"
LINES = [f"Line {n}: total amount due {1000 + 37 * n}.50 EUR" for n in range(1, 7)]


def scan() -> bytes:
    """A page of pixels, as a PNG."""
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 70), TITLE, fontsize=24)
    for number, line in enumerate(LINES):
        page.insert_text((72, 140 + 26 * number), line, fontsize=13)
    data: bytes = page.get_pixmap(dpi=150).tobytes("png")
    document.close()
    return data


@pytest.fixture
def weights(tmp_path):
    return make_weights(tmp_path / "weights")


@pytest.fixture
def vlm():
    stub = VlmStub()
    yield stub
    stub.close()


async def read(system, data, **options):
    job = await system.submit(data, name="scan.png", engine="mineru", options=options)
    job = await system.finished(job)
    [task] = system.store.pages(job.id)
    assert job.state is JobState.DONE, task.reason
    assert task.attempts == 1
    [result] = system.store.results(job.id)
    assert parse_raw("mineru", result.raw, options, system.settings) == result.blocks
    return result


@pytest.mark.parametrize("tier", ["flash", "basic"])
async def test_small_models_read_a_scan(running, weights, tier):
    async with running(mineru_models=str(weights)) as system:
        result = await read(system, scan(), tier=tier)
        assert json.loads(result.raw)["extensions"]["mineru"] == {"tier": tier, "parse_mode": "ocr"}
        assert result.blocks[0].type is BlockType.TITLE
        text = " ".join(block.content for block in result.blocks)
        assert TITLE in text
        assert [line for line in LINES if line not in text] == []


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
