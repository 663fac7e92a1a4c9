"""A disk that fills up in the middle of a job: the stages wait, say so, and go on by themselves."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.states import JobState

PAGES = 16
DISK = "size=24m"
_BITE = 64 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "quire-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        if os.environ.get("CI"):
            pytest.fail("mounting a small disk needs root")
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take every byte that is left; the file to remove again."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(_BITE))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    return filler


@pytest.mark.timeout(120)
async def test_a_full_disk_stops_the_work_and_space_starts_it(
    small_disk, running, make_pdf, monkeypatch
):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.1")
    async with running(data=small_disk / "data") as system:
        job = await system.submit(make_pdf(*(f"page {n} is here" for n in range(1, PAGES + 1))))
        await system.until(job, lambda now: now.counts.done >= 2)
        pids = {name: system.pid(name) for name in ("collect", "split", "text")}
        filler = fill(small_disk)
        table = await system.table(
            lambda now: [w.state for w in now.of_role("collect")] == ["blocked"]
        )
        (collect,) = table.of_role("collect")
        assert "disk of the data directory is full; free some space" in collect.message
        full = table.uptime_seconds
        await system.table(lambda now: now.uptime_seconds > full + 3)  # it stays, it does not crash
        assert system.store.job(job.id).state is JobState.RUNNING
        filler.unlink()
        job = await system.finished(job)
        assert job.state is JobState.DONE
        assert (job.counts.done, job.counts.failed) == (PAGES, 0)
        await system.table(lambda now: now.of_role("collect")[0].state == "ready")
        assert {name: system.pid(name) for name in pids} == pids
