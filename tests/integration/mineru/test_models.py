"""Scans and VLM tiers through a MinerU process, with stand-ins for what has weights."""

import json

import pytest

from engines.registry import parse_raw
from shared.blocks import BlockType
from shared.states import JobState
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
