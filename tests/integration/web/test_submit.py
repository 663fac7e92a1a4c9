"""Uploads: what is accepted becomes durable jobs, what is refused leaves nothing behind."""

import asyncio
import dataclasses
import hashlib

import httpx
import pytest

from shared.settings import Settings
from store.store import Store
from tests.fakes.web_system import (
    PDF_BYTES,
    PNG_BYTES,
    add_job,
    fill_disk,
    left_behind,
    serving,
    worker,
)

PDF = ("file", ("report.pdf", PDF_BYTES, "application/pdf"))


async def test_an_upload_becomes_a_durable_job(client: httpx.AsyncClient, store: Store):
    data = {"engine": "pymupdf", "pages": "1-3,8", "priority": "batch", "options": "{}"}
    response = await client.post("/api/v1/jobs", files=[PDF], data=data)
    assert response.status_code == 202, response.text
    (shown,) = response.json()["jobs"]
    assert shown["state"] == "queued"
    assert shown["document"]["name"] == "report.pdf"
    assert shown["document"]["media_type"] == "application/pdf"
    job = store.job(shown["id"])
    assert job.pages == "1-3,8"
    assert job.lane == "batch"
    assert job.document.id == hashlib.sha256(PDF_BYTES).hexdigest()
    assert store.blobs.read(job.document.id) == PDF_BYTES


async def test_several_files_make_one_job_each(client: httpx.AsyncClient, store: Store):
    files = [PDF, ("file", ("p.bin", PNG_BYTES)), ("file", ("again.pdf", PDF_BYTES))]
    response = await client.post("/api/v1/jobs", files=files)
    jobs = response.json()["jobs"]
    assert [job["document"]["name"] for job in jobs] == ["report.pdf", "p.bin", "again.pdf"]
    assert [job["document"]["media_type"] for job in jobs][1] == "image/png"
    assert len({job["document"]["id"] for job in jobs}) == 2


REFUSED = [
    ("empty_file", 400, [("file", ("e.pdf", b""))], {}),
    ("unknown_type", 415, [("file", ("notes.pdf", b"# Notes, not a PDF"))], {}),
    ("unknown_type", 415, [PDF, ("file", ("virus.exe", b"MZ" + b"\0" * 100_000))], {}),
    ("file_too_large", 413, [PDF, ("file", ("big.pdf", b"%PDF-" + b"0" * 3_000_001))], {}),
    ("too_many_files", 413, [PDF, PDF, PDF, PDF], {}),
    ("unknown_engine", 400, [PDF], {"engine": "tesseract"}),
    ("unknown_engine", 400, [PDF], {"engine": "auto,pymupdf"}),
    ("engine_not_started", 400, [PDF], {"engine": "pymupdf,mineru"}),
    ("bad_page_range", 400, [PDF], {"pages": "3-1"}),
    ("bad_priority", 400, [PDF], {"priority": "now"}),
    ("bad_option", 400, [PDF], {"options": "[1]"}),
    ("bad_option", 400, [PDF], {"options": "{"}),
    ("bad_option", 400, [PDF], {"options": '{"dpi": {"a": 1}}'}),
    ("bad_field", 400, [PDF], {"reuse": "maybe"}),
    ("unknown_field", 400, [PDF], {"colour": "red"}),
    ("field_too_large", 413, [PDF], {"options": "x" * 70_000}),
    ("no_file", 400, [("file", ("", b""))], {"engine": "pymupdf"}),
]


@pytest.mark.parametrize(("code", "status", "files", "fields"), REFUSED)
async def test_a_refusal_says_why_and_leaves_nothing(
    client: httpx.AsyncClient, settings: Settings, store: Store, code, status, files, fields
):
    before = left_behind(settings)
    response = await client.post("/api/v1/jobs", files=files, data=fields)
    body = response.json()
    assert (response.status_code, body["error"]["code"]) == (status, code), body
    assert body["detail"] == body["error"]["message"]
    assert set(body["error"]) == {"type", "code", "message", "param"}
    assert left_behind(settings) == before == []
    assert store.jobs() == ([], None)


async def test_pages_that_a_known_document_does_not_have_are_refused(
    client: httpx.AsyncClient, store: Store
):
    (first,) = (await client.post("/api/v1/jobs", files=[PDF])).json()["jobs"]
    store.start_job(first["id"], 3, [(1, "pymupdf")])
    response = await client.post("/api/v1/jobs", files=[PDF], data={"pages": "4-9"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_page_range")
    assert "3 pages" in response.json()["detail"]
    response = await client.post("/api/v1/jobs", files=[PDF], data={"pages": "3-9"})
    assert response.status_code == 202
    assert store.blobs.read(first["document"]["id"])  # the refusal took nothing away


async def test_which_file_is_bad_is_said(client: httpx.AsyncClient):
    files = [PDF, ("file", ("../secret/notes.pdf", b"no document"))]
    message = (await client.post("/api/v1/jobs", files=files)).json()["detail"]
    assert "'notes.pdf'" in message
    assert "secret" not in message


async def test_an_engine_that_is_not_started_says_how_it_is_started(client: httpx.AsyncClient):
    response = await client.post("/api/v1/jobs", files=[PDF], data={"engine": "mineru"})
    message = response.json()["detail"]
    assert "`bash deploy/engine.sh mineru`" in message
    assert "`QUIRE_ENGINES=pymupdf,mineru`" in message
    assert "Engines that are here: auto, pymupdf." in message
    response = await client.post("/api/v1/jobs", files=[PDF], data={"engine": "tesseract"})
    assert "Not started: mineru, deepseek." in response.json()["detail"]


async def test_no_form_is_refused(client: httpx.AsyncClient, settings: Settings):
    response = await client.post("/api/v1/jobs", json={"file": "x"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "not_multipart")
    headers = {"Content-Type": "multipart/form-data; boundary=abc"}
    for body in (b"", b"--abc\r\n", b"nonsense", b"--abc\r\n\r\nx\r\n--abc--"):
        response = await client.post("/api/v1/jobs", content=body, headers=headers)
        assert response.status_code == 400, body
    assert left_behind(settings) == []


async def test_options_are_checked_against_the_engine(client, bus, settings: Settings):
    await bus.wait_for_reader()
    bus.table([worker()])
    while (await client.get("/health/pymupdf")).json()["processes"] == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for options, code in (
        ('{"nope": 1}', "unknown_option"),
        ('{"ocr": "sometimes"}', "bad_option"),
        ('{"dpi": "200"}', "bad_option"),
        ('{"dpi": true}', "bad_option"),
    ):
        response = await client.post("/api/v1/jobs", files=[PDF], data={"options": options})
        assert response.json()["error"]["code"] == code, options
    assert left_behind(settings) == []
    data = {"options": '{"ocr": "always", "dpi": 300}'}
    response = await client.post("/api/v1/jobs", files=[PDF], data=data)
    assert response.json()["jobs"][0]["options"] == {"ocr": "always", "dpi": 300}


async def test_a_full_queue_is_busy(settings: Settings, store: Store):
    for number in range(2):
        add_job(store, f"{number}.pdf")
    before = left_behind(settings)
    async with serving(dataclasses.replace(settings, max_queued_jobs=2)) as client:
        response = await client.post("/api/v1/jobs", files=[PDF])
        assert (response.status_code, response.json()["error"]["code"]) == (429, "queue_full")
        assert int(response.headers["retry-after"]) >= 1
    assert left_behind(settings) == before


async def test_a_full_disk_is_busy(client, settings: Settings, monkeypatch):
    fill_disk(monkeypatch, free=1000)
    response = await client.post("/api/v1/jobs", files=[PDF])
    assert (response.status_code, response.json()["error"]["code"]) == (429, "disk_full")
    assert response.headers["retry-after"]
    assert left_behind(settings) == []


async def test_an_upload_that_breaks_off_leaves_nothing(settings: Settings, client):
    began = asyncio.Event()

    async def half():
        yield b'--abc\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        yield b"%PDF-1.7" + b"0" * 2_000_000
        async with asyncio.timeout(5):
            while not left_behind(settings):  # noqa: ASYNC110  another side of a socket
                await asyncio.sleep(0.01)
        began.set()
        raise ConnectionError

    headers = {"Content-Type": "multipart/form-data; boundary=abc"}
    with pytest.raises(ConnectionError):
        await client.post("/api/v1/jobs", content=half(), headers=headers)
    assert began.is_set()
    async with asyncio.timeout(5):
        while left_behind(settings):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("wait", [0.0, 0.001, 0.003, 0.01])
async def test_a_client_that_goes_away_leaves_all_or_nothing(
    client: httpx.AsyncClient, settings: Settings, store: Store, wait: float
):
    files = [("file", (f"{number}.pdf", PDF_BYTES + b"%d" % number)) for number in range(3)]
    for _ in range(5):
        sending = asyncio.ensure_future(client.post("/api/v1/jobs", files=files))
        await asyncio.sleep(wait)
        sending.cancel()
        await asyncio.wait([sending])
    await asyncio.sleep(0.2)
    jobs, _ = store.jobs()
    assert len(jobs) % 3 == 0
    async with asyncio.timeout(5):
        while list((settings.data / "tmp").glob("*.part")):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    if not jobs:
        assert left_behind(settings) == []


async def test_a_refusal_is_read_by_a_client_that_still_sends(settings: Settings):
    async with serving(
        dataclasses.replace(settings, max_file_bytes=99_000, max_files=400)
    ) as client:
        big = ("file", ("big.pdf", b"%PDF-" + b"0" * 30_000_000))
        response = await client.post("/api/v1/jobs", files=[big])
        assert response.json()["error"]["code"] == "file_too_large"
        assert (await client.get("/api/v1/jobs")).json()["jobs"] == []


async def test_names_are_text_and_never_paths(client: httpx.AsyncClient):
    for sent, kept in (
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\scan.pdf", "scan.pdf"),
        ("年度报告.pdf", "年度报告.pdf"),
        ("a" * 3000 + ".pdf", "a" * 195 + "….pdf"),
        ("..", "document"),
    ):
        response = await client.post("/api/v1/jobs", files=[("file", (sent, PDF_BYTES))])
        assert response.json()["jobs"][0]["document"]["name"] == kept


async def test_the_form_without_scripts_leads_to_the_job(client: httpx.AsyncClient):
    response = await client.post("/upload", files=[PDF])
    assert response.status_code == 303
    assert response.headers["location"].startswith("/jobs/")
