"""Hostile model output through every way into a job, and out by every view and export."""

import io
import json
import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree as ET

import httpx
import pymupdf

from shared.followups import EXPORTS, MERGE
from shared.records import NewJob
from shared.states import Origin
from tests.fakes.hostile_engine import ATTACKS
from tests.fakes.safe_html import dangers, rendered
from tests.fakes.systems import TEXT_ENGINE, pdf_of
from tests.fakes.web_system import free_ports, serving

ENGINES = f"{TEXT_ENGINE},hostile=tests.fakes.hostile_engine:HostileEngine"
OWN_TAGS = (
    '<script src="/static/',
    '<script type="module" src="/static/',
    '<script type="application/json" id="words">',
    "<svg ",
)
HTML = {"Accept": "text/html"}


def test_the_attacks_would_be_seen():
    """The finder finds them, so that finding none means something."""
    seen = [attack for attack in ATTACKS if dangers(attack) or dangers(rendered(attack))]
    assert len(seen) >= 15
    assert dangers('<script src="/static/a.js">', OWN_TAGS) == []


async def test_no_view_and_no_export_runs_or_loads_anything(running):
    async with running(engine_classes=ENGINES, engines="text,hostile") as system:
        data = pdf_of("one", "two", "FAIL")
        first = await system.finished(await system.submit(data, engine="hostile"))
        document = first.document.id
        again = NewJob(
            document, ATTACKS[0], engine="hostile", origin=Origin.POSTPROCESS, parent=first.id
        )
        reused = NewJob(document, "b.pdf", engine="hostile", reuse=True)
        both = NewJob(document, "c.pdf", engine="text,hostile")
        added = [await system.add(new) for new in (again, reused, both)]
        jobs = [first, *[await system.finished(job) for job in added]]
        system.store.take_page(jobs[3].id, 1, "hostile", first.id)
        await system.made(jobs[3], MERGE)
        for kind in EXPORTS:
            system.store.want(jobs[3].id, kind)
        settings = replace(system.settings, port=free_ports(1)[0])
        async with serving(settings) as client:
            for job in jobs:
                await check_files(client, job.id)
                await check_pages(client, job.id)
            for kind in EXPORTS:
                await system.made(jobs[3], kind)
            await check_exports(client, jobs[3].id)
            await check_search(client)


async def check_files(client: httpx.AsyncClient, job: str) -> None:
    url = f"/api/v1/jobs/{job}/result"
    page = await client.get(f"{url}.html")
    assert dangers(page.text, styles=1) == []
    assert "sandbox" in page.headers["content-security-policy"]
    markdown = (await client.get(f"{url}.md")).text
    assert "needle" in markdown
    assert dangers(rendered(markdown)) == []
    answer = await client.get(f"{url}.json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    check_blocks(answer.json()["pages"])


async def check_exports(client: httpx.AsyncClient, job: str) -> None:
    url = f"/api/v1/jobs/{job}/result"
    hocr = (await client.get(f"{url}.hocr")).text
    assert dangers(hocr) == []
    ET.fromstring(hocr)
    check_word((await client.get(f"{url}.docx")).content)
    check_pdf((await client.get(f"{url}.pdf")).content)
    archive = zipfile.ZipFile(io.BytesIO((await client.get(f"{url}.zip")).content))
    for name in archive.namelist():
        assert re.fullmatch(r"(?:result|quire-1)\.\w+|images/[0-9a-f]{64}\.bin", name), name


def check_blocks(pages: list[dict]) -> None:
    for page in pages:
        assert dangers(rendered(page["markdown"])) == []
        for block in page["blocks"]:
            if block["type"] == "table":
                assert dangers(block["content"]) == []


def check_word(data: bytes) -> None:
    archive = zipfile.ZipFile(io.BytesIO(data))
    for name in archive.namelist():
        if name.endswith((".xml", ".rels")):
            tree = ET.fromstring(archive.read(name))
            for element in tree.iter():
                assert element.get("TargetMode") != "External", name
                assert not element.tag.endswith(("}hyperlink", "}instrText", "}object")), name
    assert not [name for name in archive.namelist() if name.endswith((".svg", ".bin"))]


def check_pdf(data: bytes) -> None:
    with pymupdf.open(stream=data) as document:
        for page in document:
            assert page.get_links() == []
            assert list(page.annots() or ()) == []
        for number in range(1, document.xref_length()):
            source = document.xref_object(number)
            assert not re.search(r"/(?:JavaScript|JS|Launch|URI|OpenAction|AA)\b", source), source


async def check_pages(client: httpx.AsyncClient, job: str) -> None:
    for path in (f"/jobs/{job}", f"/jobs/{job}?page=3", f"/jobs/{job}/reading/1"):
        page = await client.get(path, headers=HTML)
        assert page.status_code == 200, path
        assert dangers(page.text, OWN_TAGS) == [], path
    for path in ("pages", "pages/1", "pages/1/attempts", ""):
        answer = await client.get(f"/api/v1/jobs/{job}/{path}".rstrip("/"))
        assert answer.headers["content-type"].startswith("application/json"), path
    result = (await client.get(f"/api/v1/jobs/{job}/pages/1")).json()
    assert dangers(rendered(result["markdown"])) == []
    for block in result["blocks"]:
        if block["image"]:
            image = await client.get(f"/api/v1/jobs/{job}/images/{block['image'].split('/')[-1]}")
            assert image.status_code in {400, 404}, block["image"]
    async with client.stream("GET", f"/api/v1/jobs/{job}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        async for line in events.aiter_lines():
            if line.startswith("data:"):
                json.loads(line.removeprefix("data:"))
                break


async def check_search(client: httpx.AsyncClient) -> None:
    hits = (await client.get("/api/v1/search?q=needle")).json()["hits"]
    assert hits
    page = await client.get("/jobs?q=needle", headers=HTML)
    assert dangers(page.text, OWN_TAGS) == []
    assert "<mark>" in page.text
    for path in ("/", "/jobs", "/system"):
        page = await client.get(path, headers=HTML)
        assert dangers(page.text, OWN_TAGS) == [], path
