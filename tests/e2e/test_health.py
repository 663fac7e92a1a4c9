"""Health tells the truth within three seconds, in each of its four places, with a sentence."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import MIB
from tests.fakes.disks import fill, small_disk
from tests.fakes.monitored import SECONDS, Service
from tests.fakes.up import up

ENGINES = {
    "broken": "BrokenEngine",
    "loading": "LoadingEngine",
    "hungry": "HungryEngine",
    "faulty": "FaultyEngine",
    "slow": "SlowEngine",
}
SICK = [f"{name}=tests.fakes.sick_engines:{kind}" for name, kind in ENGINES.items()]
CLASSES = ",".join(["text=tests.fakes.sick_engines:LeakyEngine", *SICK])
DISK_MIB = 96
FREE_MIB = 48  # of it, under which the disk counts as nearly full
GPU = "The GPU has 2 of 16 GiB free: end what uses it."


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("health")
    with small_disk(folder / "disk", DISK_MIB) as disk:
        more = {
            "QUIRE_ENGINES": ",".join(["text", *ENGINES]),
            "QUIRE_ENGINE_CLASSES": CLASSES,
            "QUIRE_DATA": str(disk / "data"),
            "QUIRE_MIN_FREE_MIB": str(FREE_MIB),
            "QUIRE_HANG_SECONDS": "5",
        }
        with up(folder, **more) as (process, url):
            yield Service(process, url, disk, folder / "log")


@pytest.fixture
async def service(running: Service) -> Service:
    await running.ready()
    return running


async def test_an_engine_that_never_comes_up(service):
    await service.everywhere("broken", "broken ended", "restarting")
    shown = await service.sees("text", {"healthy"})
    assert shown["status"] == "degraded"
    assert shown["deepseek_status"] == "disabled"


@pytest.mark.parametrize(
    ("name", "words", "state"),
    [
        ("loading", "loading is loading.", "loading"),
        ("hungry", GPU, "blocked"),
        ("faulty", "failed to load (RuntimeError: no kernel for this card)", "blocked"),
    ],
)
async def test_an_engine_that_loads_or_cannot(service, name, words, state):
    begins = service.disk / "data" / f"loads-{name}"
    begins.unlink(missing_ok=True)
    service.end(name)
    await service.everywhere(name, words, state, since=begins.exists)


async def test_an_engine_that_is_killed_loads_its_model_again_until_it_is_ready(service):
    begins, loaded = (service.disk / "data" / name for name in ("loads-slow", "slow-has-loaded"))
    loaded.touch()
    await service.sees("slow", {"healthy"})
    for file in (begins, loaded):
        file.unlink()
    service.end("slow")
    await service.everywhere("slow", "slow is loading.", "loading", since=begins.exists)
    async with service.client() as client:
        shown = (await client.get("/health/slow")).json()
    assert shown["status"] != "healthy"
    assert shown["message"] == "slow is loading."
    loaded.touch()
    await service.sees("slow", {"healthy"})
    async with service.client() as client:
        shown = (await client.get("/health/slow")).json()
    assert (shown["status"], shown["message"]) == ("healthy", "")


async def test_a_dead_engine(service):
    service.end("text")
    words = ("is gone", "text ended", "text was started", "text is about to be started")
    await service.everywhere("text", words, ("lost", "restarting", "starting"))


async def test_an_engine_that_hangs_and_still_beats(service):
    log = service.log.read_text()
    job = await service.send_page("GILFREE")
    found = "killing text"
    await service.everywhere(
        "text",
        "It made no progress for too long",
        "hung",
        since=lambda: service.log.read_text().count(found) > log.count(found),
    )
    assert (await service.until_page(job, "done"))["crashes"] == 1


async def test_an_engine_that_says_nothing_any_more(service):
    pid = service.send("text", signal.SIGSTOP)
    try:
        await service.everywhere("text", "said nothing for", "silent")
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_an_engine_that_runs_out_of_memory_amid_a_page(service):
    job = await service.send_page("LEAK")
    await service.everywhere("text", "ran out of memory", ("starting", "restarting"))
    page = await service.until_page(job, "done")
    assert (page["state"], page["crashes"]) == ("done", 0)
    (tried,) = page["history"]
    assert tried["reason_type"] == "out_of_memory"


async def test_a_draining_engine(service):
    await service.send_page("SLOW but moving")
    await service.until_running()
    service.send("text", signal.SIGTERM)
    await service.everywhere("text", "takes no more", "draining")


async def test_a_broker_that_is_killed_and_starts_anew(service):
    service.end("broker")
    await service.everywhere("broker", ("started anew", "does not answer"))


async def test_a_collector_that_says_nothing_any_more(service):
    pid = service.send("collect", signal.SIGSTOP)
    try:
        await service.everywhere("collect", "said nothing for", "silent")
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_collector_that_is_behind(service):
    """It lives, but another program holds the database."""
    job = await service.send_page("SLOW but moving")
    await service.until_running()
    with sqlite3.connect(service.disk / "data" / "quire.db", isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        await service.until_running(at_all=False)  # the answer waits from now on
        await service.everywhere("collect", "Collect is behind: 1 answers wait")
        database.execute("ROLLBACK")
    database.close()
    assert (await service.until_page(job, "done"))["state"] == "done"
    await service.sees("collect", {"healthy"}, SECONDS)


async def test_a_disk_that_is_nearly_full(service):
    filler = fill(service.disk, leave=(FREE_MIB - 8) * MIB)
    await service.everywhere("disk", f"uploads are refused below {FREE_MIB} MiB")
    async with service.client() as client:
        files = {"file": ("page.pdf", Path(__file__).read_bytes(), "application/pdf")}
        sent = await client.post("/api/v1/jobs", files=files, data={"engine": "text"})
        assert (sent.status_code, int(sent.headers["Retry-After"]) > 0) == (429, True)
        filler.unlink()
    shown = await service.sees("text", {"healthy"}, SECONDS)
    assert "disk" not in {problem["part"] for problem in shown["problems"]}
