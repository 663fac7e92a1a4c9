"""A disk that fills up in the middle of a job: the stages wait, say so, and go on by themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.health import BusTable, WorkerStatus
from shared.states import JobState
from tests.fakes.disks import fill, small_disk

PAGES = 16


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 24) as folder:
        yield folder


def blocked(table: BusTable) -> list[WorkerStatus]:
    """The stages that wait for space."""
    workers = [*table.of_role("split"), *table.of_role("collect")]
    return [worker for worker in workers if worker.state == "blocked"]


@pytest.mark.timeout(120)
async def test_a_full_disk_stops_the_work_and_space_starts_it(disk, running, make_pdf, monkeypatch):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.1")
    async with running(data=disk / "data") as system:
        job = await system.submit(make_pdf(*(f"page {n} is here" for n in range(1, PAGES + 1))))
        await system.until(job, lambda now: now.counts.done >= 2)
        pids = {name: system.pid(name) for name in ("collect", "split", "text")}
        filler = fill(disk)
        # whichever needs space first: collect has what is left of the log of its commits
        table = await system.table(blocked)
        assert "disk of the data directory is full; free some space" in blocked(table)[0].message
        full = table.uptime_seconds
        await system.table(lambda now: now.uptime_seconds > full + 3)  # it stays, it does not crash
        assert system.store.job(job.id).state is JobState.RUNNING
        filler.unlink()
        job = await system.finished(job)
        assert job.state is JobState.DONE
        assert (job.counts.done, job.counts.failed) == (PAGES, 0)
        await system.table(lambda now: not blocked(now))
        assert {name: system.pid(name) for name in pids} == pids
