"""Health, engines, processes, metrics, limits: with a broker and without."""

import asyncio
import contextlib
import re
import shutil
import sqlite3

import httpx

from shared.settings import Settings
from store.store import Store
from tests.fakes.web_system import Bus, add_job, worker


async def seen(client: httpx.AsyncClient, status: str) -> dict:
    """Health once it says this."""
    async with asyncio.timeout(10):
        while True:
            shown = (await client.get("/health")).json()
            if shown["status"] == status:
                return shown
            await asyncio.sleep(0.05)


def everyone() -> list[dict]:
    return [
        worker(),
        worker(worker="split-1", role="split", service="split", engine=""),
        worker(worker="collect-1", role="collect", service="collect", engine=""),
    ]


async def test_health_follows_the_broker(client, bus: Bus, store: Store):
    response = await client.get("/health")
    assert response.status_code == 503
    assert response.json()["broker"] == "unhealthy"
    assert "broker" in response.json()["message"]
    await bus.wait_for_reader()
    bus.table(everyone())
    shown = await seen(client, "healthy")
    assert list(shown)[:5] == [
        "status",
        "deepseek_status",
        "mineru_status",
        "pymupdf_status",
        "timestamp",
    ]
    assert shown["deepseek_status"] == "disabled"
    assert isinstance(shown["timestamp"], int)
    bus.table([worker(state="loading", model_loaded=False, message="Weights are missing.")])
    await seen(client, "unhealthy")
    bus.table(everyone()[:2])
    assert (await seen(client, "degraded"))["collect"] == "unhealthy"
    add_job(store)
    await seen(client, "unhealthy")  # the table has grown old
    assert (await client.get("/api/v1/jobs")).json()["jobs"]


async def test_health_of_an_engine(client, bus: Bus):
    documented = ["status", "model_loaded", "gpu_available", "backend", "timestamp"]
    response = await client.get("/health/deepseek")
    assert response.status_code == 503
    assert list(response.json())[:5] == documented
    assert response.json()["backend"] == "deepseek-ocr"
    await bus.wait_for_reader()
    bus.table(everyone())
    await seen(client, "healthy")
    response = await client.get("/health/pymupdf")
    assert response.status_code == 200
    assert list(response.json().items())[:4] == [
        ("status", "healthy"),
        ("model_loaded", True),
        ("gpu_available", False),
        ("backend", "pymupdf"),
    ]


async def test_engines_and_workers(client, bus: Bus):
    alone = (await client.get("/api/v1/workers")).json()
    assert [shown["role"] for shown in alone["workers"]] == ["web"]
    assert alone["problems"][0]["part"] == "broker"
    await bus.wait_for_reader()
    bus.table(everyone(), {"recognize.pymupdf": {"pages": 7, "jobs": 2, "bytes": 99}})
    await seen(client, "healthy")
    engine, *others = (await client.get("/api/v1/engines")).json()["engines"]
    assert [(other["name"], other["status"]) for other in others] == [
        ("mineru", "disabled"),
        ("deepseek", "disabled"),
    ]
    assert "`quire engine mineru`" in others[0]["message"]
    assert engine["queue"] == {"pages": 7, "jobs": 2, "bytes": 99}
    assert engine["pages_a_minute"] == 90
    assert [option["name"] for option in engine["options"]] == ["ocr", "dpi"]
    workers = (await client.get("/api/v1/workers")).json()["workers"]
    assert {shown["role"] for shown in workers} == {"engine", "split", "collect", "web"}
    assert workers[0]["pid"] == 4242


async def test_limits_are_the_settings(client, settings):
    limits = (await client.get("/api/v1/limits")).json()["limits"]
    assert limits["max_file_bytes"] == settings.max_file_bytes
    assert limits["max_pages"] == settings.max_pages


SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)+\})? -?[0-9.e+-]+')


async def test_metrics_are_what_prometheus_reads(client, bus: Bus):
    assert "quire_broker_up 0" in (await client.get("/metrics")).text
    await bus.wait_for_reader()
    bus.table([*everyone(), worker(worker='odd "name"\n\\', state="lost")])
    await seen(client, "degraded")
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    helped = set()
    for line in response.text.splitlines():
        if line.startswith("# HELP"):
            name = line.split()[2]
            assert name not in helped
            helped.add(name)
        elif not line.startswith("# TYPE"):
            assert SAMPLE.fullmatch(line), line
            assert re.split(r"[ {]", line)[0] in helped
    assert "quire_broker_up 1" in response.text
    assert 'quire_bus_events_total{event="requeued"} 2' in response.text


async def test_health_says_when_the_data_disk_is_gone(client, monkeypatch):
    def gone(_path):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(shutil, "disk_usage", gone)
    response = await client.get("/health")
    assert "disk" in {problem["part"] for problem in response.json()["problems"]}


async def test_the_system_page_is_there_when_the_database_is_not(client, settings: Settings):
    with contextlib.closing(sqlite3.connect(settings.data / "quire.db")) as connection:
        connection.execute("ALTER TABLE jobs RENAME TO gone")
    page = await client.get("/system", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert 'data-state="unhealthy"' in page.text
    assert "open job" not in page.text


async def test_a_broker_that_is_away_is_said_once(client: httpx.AsyncClient):
    for path in ("/", "/system"):
        shown = (await client.get(path)).text
        assert shown.count("The broker does not answer") == 1, path
    start = (await client.get("/")).text
    note = start[start.index('id="broker-away"') :]
    assert "hidden" not in note[: note.index(">")]
