"""Every role is restarted while pages flow: nothing is lost, nothing finished is done again."""

import os
import signal

import pytest

from shared.states import JobState, PageState
from tests.fakes.chaos import READS

PAGES = 80


@pytest.mark.timeout(150)
async def test_a_rolling_restart_of_every_role_loses_and_repeats_nothing(
    running, make_pdf, monkeypatch, tmp_path
):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.05")
    monkeypatch.setenv(READS, str(tmp_path / "reads"))
    flags = {
        "engines": "text*2",
        "engine_classes": "text=tests.fakes.chaos:CountedEngine",
        "silence_seconds": 20.0,  # a busy machine keeps a process silent for longer than 3 s
    }
    async with running(**flags) as system:
        texts = [f"page {n} is here" for n in range(1, PAGES + 1)]
        job = await system.submit(make_pdf(*texts))
        for number, name in enumerate(("text", "text-2", "split", "collect", "broker")):
            await system.until(job, lambda now, n=number: now.counts.done >= 4 + 9 * n)
            os.kill(system.pid(name), signal.SIGTERM)  # it drains
        job = await system.finished(job, seconds=90)
        tasks = system.store.pages(job.id)
        assert job.state is JobState.DONE
        assert all(task.state is PageState.DONE and task.crashes == 0 for task in tasks)
        assert sorted((tmp_path / "reads").read_text().splitlines()) == sorted(texts)
        assert not any("killed" in line for line in system.log)
