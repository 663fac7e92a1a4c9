"""Born-digital pages through a MinerU process without weights."""

import json

from engines.registry import parse_raw
from shared.states import JobState
from tests.fakes.systems import pdf_of


def results_of(system, job):
    return list(system.store.results(job.id))


async def test_a_page_comes_through_with_its_middle_json(running):
    async with running() as system:
        job = await system.submit(pdf_of("Every page is a message."), engine="mineru")
        job = await system.finished(job)
        assert job.state is JobState.DONE
        assert "Every page is a message." in system.store.blobs.read(job.artifacts["md"]).decode()
        [result] = results_of(system, job)
        assert json.loads(result.raw)["schema"] == "docvortex.middle"
        assert parse_raw("mineru", result.raw, {}, system.settings) == result.blocks
