"""Everything that breaks parsers, through the whole system: it works or fails with a sentence."""

import csv

import psutil
import pytest

from shared.states import JobState

MEMORY_MIB = 3072  # of any process: far above what good pages need, far below a bomb


@pytest.mark.timeout(600)
async def test_every_hostile_file_ends_and_the_service_stays_healthy(corpus, running, make_pdf):
    folder = corpus / "hostile"
    with (folder / "manifest.csv").open(newline="") as manifest:
        names = [row["path"].removeprefix("hostile/") for row in csv.DictReader(manifest)]
    limits = {
        "engines": "pymupdf",
        "page_seconds": 4.0,
        "open_seconds": 10.0,
        "reader_memory_mib": 1024,
        "hang_seconds": 20.0,
        "crash_attempts": 2,
        "max_pages": 50,
    }
    async with running(**limits) as system:
        jobs = {}
        for name in names:
            data = (folder / name).read_bytes()
            jobs[name] = await system.submit(data, name, engine="pymupdf", pages="1-4")
        for name, job in jobs.items():
            ended = await system.finished(job, seconds=500)
            assert ended.state in {JobState.DONE, JobState.FAILED}, name
            if ended.state is JobState.FAILED and ended.failure is not None:
                assert len(ended.failure.message) > 15, name
            for task in system.store.pages(job.id):
                assert task.state.is_final, name
                assert task.state.value == "done" or task.reason, (name, task.page)
        processes = [
            psutil.Process(system.pid(n)) for n in ("broker", "collect", "split", "pymupdf")
        ]
        for process in processes:
            assert process.memory_info().rss < MEMORY_MIB * 1024 * 1024, process.cmdline()
        good = await system.finished(await system.submit(make_pdf("all is well"), engine="pymupdf"))
        assert good.state is JobState.DONE
        assert b"all is well" in system.store.blobs.read(good.artifacts["txt"])
