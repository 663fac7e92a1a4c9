"""Pages under `auto` leave MinerU while it cannot read them, and go there again when it can."""

import pytest

from shared.states import JobState, PageState
from tests.fakes.mineru_weights import make_weights
from tests.fakes.systems import join, pdf_of, scan_of
from tests.fakes.vlm_server import VlmStub

# several real processes, among them MinerU and the CPU engine
pytestmark = pytest.mark.timeout(240)


async def both_ready(system):
    await system.table(
        lambda t: all(
            [w.state for w in t.of_engine(name)] == ["ready"] for name in ("pymupdf", "mineru")
        ),
        seconds=60,
    )


async def test_scans_go_to_the_cpu_engine_while_weights_are_missing(running, tmp_path):
    folder = tmp_path / "weights"
    flags = {"engines": "pymupdf,mineru", "fallback_seconds": 2.0}
    async with running(**flags, mineru_models=str(folder)) as system:
        await both_ready(system)
        scans = [f"This is the picture of page {number}." for number in range(2, 8)]
        data = join(pdf_of("This is the sound text of page 1."), scan_of(*scans))
        named = await system.submit(scan_of("Only MinerU may read this."), engine="mineru")
        job = await system.finished(await system.submit(data, engine="auto"), seconds=90)
        assert (job.state, job.counts.done) == (JobState.DONE, 7)
        text, *moved = system.store.pages(job.id)
        assert (text.engine, text.history) == ("pymupdf", ())
        for task in moved:
            assert (task.engine, task.rung, task.mark) == ("pymupdf", "outage", "fallback")
            assert task.choice.startswith("mineru takes no such pages now. ")
            *sent_back, last = task.history
            assert {(a.engine, a.outcome, a.reason_type) for a in sent_back} == {
                ("mineru", "outside", "weights_missing")
            }
            assert (last.engine, last.outcome) == ("mineru", "outage")
            assert "mineru has sent such pages back for" in last.reason
            assert str(folder) in last.reason
        for result in system.store.results(job.id):
            said = " ".join(block.content for block in result.blocks)
            assert said.count(f"of page {result.page}.") == 1
        later = await system.finished(
            await system.submit(scan_of("This is the picture of page 9."), engine="auto")
        )
        [task] = system.store.pages(later.id)
        # it is tried, and need not wait for what is known already
        assert [a.outcome for a in task.history] == ["outside", "outage"]
        assert task.engine == "pymupdf"

        [waits] = system.store.pages(named.id)
        assert (waits.engine, waits.state.is_final) == ("mineru", False)
        table = await system.table(lambda t: all(w.degraded for w in t.of_engine("mineru")))
        assert "Scans wait" in table.of_engine("mineru")[0].message

        make_weights(folder)
        await system.table(lambda t: not any(w.degraded for w in t.of_engine("mineru")), 40)
        again = await system.submit(scan_of("This is the picture of page 1."), engine="auto")
        again = await system.finished(again)
        [task] = system.store.pages(again.id)
        assert (task.engine, task.mark, task.history) == ("mineru", "done", ())
        named = await system.finished(named)
        [task] = system.store.pages(named.id)
        assert (task.engine, task.state) == ("mineru", PageState.DONE)


async def test_pages_go_to_the_cpu_engine_while_the_vlm_server_is_away(running, weights):
    stub = VlmStub()
    stub.close()
    flags = {"engines": "pymupdf,mineru", "fallback_seconds": 2.0, "mineru_vlm_url": stub.url}
    async with running(**flags, mineru_models=str(weights)) as system:
        await both_ready(system)
        data = scan_of("This is the picture of page 1.")
        job = await system.finished(await system.submit(data, engine="auto"))
        [task] = system.store.pages(job.id)
        assert (task.engine, task.rung) == ("pymupdf", "outage")
        assert {a.reason_type for a in task.history} == {"vlm_unavailable", "outage"}
        back = VlmStub(stub.port)
        try:
            await system.table(lambda t: not any(w.degraded for w in t.of_engine("mineru")), 40)
            data = scan_of("This is the picture of page 2.")
            job = await system.finished(await system.submit(data, engine="auto"))
        finally:
            back.close()
        [task] = system.store.pages(job.id)
        assert (task.engine, task.mark, task.history) == ("mineru", "done", ())
        assert back.calls
