"""What is beside the page fails: health says what, the page waits, and goes on by itself."""

import pytest

from engines.mineru.capabilities import TIERS
from shared.states import JobState, PageState
from tests.fakes.mineru_basic import REGIONS, make_basic_weights
from tests.fakes.mineru_weights import make_weights
from tests.fakes.scans import TITLE, scan
from tests.fakes.systems import ROOT, pdf_of
from tests.fakes.vlm_server import BROKEN, NONSENSE, SLOW, WELL, VlmStub

# several real processes in turn, each loading MinerU
pytestmark = pytest.mark.timeout(240)


def message(table):
    return " ".join(worker.message for worker in table.of_engine("mineru"))


async def says(system, *words):
    """The engine's message, once it holds all these words."""
    table = await system.table(lambda t: all(word in message(t) for word in words), seconds=40)
    [worker] = table.of_engine("mineru")
    assert (worker.state, worker.degraded) == ("ready", True)
    return worker.message


async def is_well(system):
    await system.table(
        lambda t: t.of_engine("mineru") and not any(w.degraded for w in t.of_engine("mineru")), 40
    )


async def submit(system, data=None, **options):
    return await system.submit(data or scan(), name="a.png", engine="mineru", options=options)


async def test_a_scan_waits_for_weights_and_is_read_once_they_are_there(running, tmp_path):
    folder = tmp_path / "weights"
    async with running(mineru_models=str(folder)) as system:
        job = await submit(system)
        text = await says(system, "Scans wait", str(folder), "mineru-kit models download")
        assert "QUIRE_MINERU_MODELS" in text
        other = await system.finished(await submit(system, pdf_of("Born with its text.")))
        assert other.counts.done == 1
        [waiting] = system.store.pages(job.id)
        assert waiting.state in {PageState.PENDING, PageState.RUNNING}
        make_weights(folder)
        job = await system.finished(job)
        [task] = system.store.pages(job.id)
        assert (task.state, task.crashes) == (PageState.DONE, 0)
        assert TITLE in system.store.blobs.read(job.artifacts["md"]).decode()
        await is_well(system)


LISTENER = """
import os, sys

def note(event, given):
    if event == "socket.getaddrinfo":
        host = given[0]
    elif event in {"socket.connect", "socket.sendto"}:
        host = given[1][0] if isinstance(given[1], tuple) else None
    else:
        return
    if host not in {None, "127.0.0.1", "localhost"}:
        with open(os.environ["TEST_CALLED_HOSTS"], "a") as file:
            print(event, host, file=file)

sys.addaudithook(note)
"""


async def test_no_hub_is_asked_while_pages_wait(running, tmp_path, monkeypatch):
    """Not even where the environment allows it: each try would take a minute of retries."""
    (tmp_path / "sitecustomize.py").write_text(LISTENER)
    called = tmp_path / "called"
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")  # of all processes of the system
    monkeypatch.setenv("TEST_CALLED_HOSTS", str(called))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("MINERU_MODEL_SOURCE", "huggingface")
    async with running() as system:
        jobs = [await submit(system, tier=tier) for tier in TIERS]
        table = await system.table(lambda t: t.counters.get("outages", 0) >= 5 * len(TIERS), 60)
        began = table.time
        enough = table.counters["outages"] + len(TIERS)
        table = await system.table(lambda t: t.counters["outages"] >= enough, 60)
        assert table.time - began < 10  # MinerU is loaded: each is sent back at once
        await says(system, "Scans wait")
        assert [system.store.job(job.id).counts.done for job in jobs] == [0] * len(TIERS)
    assert not called.exists(), called.read_text()


async def test_health_names_what_each_tier_lacks(running, tmp_path):
    folder = tmp_path / "weights"
    make_weights(folder, REGIONS)
    async with running(mineru_models=str(folder)) as system:
        table = await system.table(lambda t: "standard" in message(t), seconds=60)
        [worker] = table.of_engine("mineru")
        assert (worker.state, worker.degraded) == ("ready", False)  # nobody asked for them
        assert "The tiers basic do not run. Weights are missing" in worker.message
        assert "MFR/pp_formulanet_plus_m" in worker.message
        assert "The tiers standard, advanced do not run. Weights are missing" in worker.message
        assert worker.message.count("mineru-kit models download") == 2
        await submit(system, tier="advanced")
        text = await says(system, "Pages of the tiers advanced wait. Weights are missing")
        assert "The tiers standard do not run" in text
        job = await submit(system, tier="basic")
        await says(system, "Pages of the tiers basic wait. Weights are missing")
        make_basic_weights(folder)
        job = await system.finished(job)
        assert job.counts.done == 1
        table = await system.table(lambda t: "basic" not in message(t), seconds=40)
        assert "Pages of the tiers advanced wait" in message(table)


async def test_a_vlm_server_that_is_down_gets_its_pages_when_it_is_back(running, weights):
    stub = VlmStub()
    stub.close()
    async with running(mineru_models=str(weights), mineru_vlm_url=stub.url) as system:
        job = await submit(system)
        await says(system, stub.url, "cannot be reached", "QUIRE_MINERU_VLM_URL")
        flash = await system.finished(await submit(system, tier="flash"))
        assert flash.state is JobState.DONE  # what needs no VLM does not wait for it
        assert system.store.job(job.id).counts.done == 0
        back = VlmStub(stub.port)
        try:
            job = await system.finished(job)
        finally:
            back.close()
        assert job.counts.done == 1


async def test_a_vlm_server_that_misbehaves_is_left_alone_until_it_is_well(running, weights, vlm):
    flags = {"mineru_models": str(weights), "mineru_vlm_url": vlm.url, "mineru_vlm_seconds": 1}
    async with running(**flags) as system:
        for mood, word in ((BROKEN, "500"), (NONSENSE, "No choices"), (SLOW, "ReadTimeout")):
            vlm.mood = mood
            vlm.released.clear()
            job = await submit(system, tier="standard")
            await says(system, word, "Pages of its tiers wait")
            vlm.mood = WELL
            vlm.released.set()
            job = await system.finished(job)
            [task] = system.store.pages(job.id)
            assert (task.state, task.crashes) == (PageState.DONE, 0), mood
            await is_well(system)
