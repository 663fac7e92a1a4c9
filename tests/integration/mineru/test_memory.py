"""Memory that really runs out: pages are tried again uncharged, health says so, and it goes on."""

from pathlib import Path

import pytest

from shared.states import JobState, PageState
from tests.fakes.scans import TITLE, scan

# several real processes in turn, each loading MinerU
pytestmark = pytest.mark.timeout(240)

ENGINE = "short=tests.fakes.short_of_memory:ShortOfMemory"


async def test_pages_are_read_once_there_is_memory_again(running, weights, mineru_python):
    flags = {
        "engines": "short",
        "engine_classes": ENGINE,
        "engine_pythons": f"short={mineru_python}",
        "mineru_models": str(weights),
        "backoff_seconds": 0.5,
    }
    async with running(**flags) as system:
        table = await system.table(
            lambda t: [w.state for w in t.of_engine("short")] == ["ready"], 60
        )
        [first] = table.of_engine("short")
        await system.finished(await system.submit(scan(), name="a.png", engine="short"))
        mark = Path(system.settings.data) / "short"
        mark.touch()
        job = await system.submit(scan(dpi=400), name="b.png", engine="short")
        table = await system.table(lambda t: any(w.degraded for w in t.of_engine("short")), 60)
        [worker] = table.of_engine("short")
        assert "Memory has run out" in worker.message
        assert "QUIRE_MINERU_PAGES" in worker.message
        assert worker.pid == first.pid

        # when not even one page alone can be read, a fresh process has all its memory again
        def is_new(table):
            return any(w.state == "ready" and w.pid != first.pid for w in table.of_engine("short"))

        await system.table(is_new, 90)
        assert system.store.job(job.id).counts.done == 0
        mark.unlink()
        job = await system.finished(job, 60)
        [task] = system.store.pages(job.id)
        assert (job.state, task.state, task.crashes) == (JobState.DONE, PageState.DONE, 0)
        assert {(a.outcome, a.reason_type) for a in task.history} == {("outside", "out_of_memory")}
        assert TITLE in system.store.blobs.read(job.artifacts["md"]).decode()
        await system.table(lambda t: not any(w.degraded for w in t.of_engine("short")), 70)
