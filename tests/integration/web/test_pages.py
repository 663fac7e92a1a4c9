"""The web pages as the server renders them, and the description of the interface."""

import json
import re

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from sanic import Sanic

from shared.records import Failure, NewJob
from shared.settings import Settings
from store.store import Store
from tests.fakes.web_system import add_job, finished_job, read_page, serving
from web.openapi import openapi_path
from web.operations import operation_of
from web.ui.page_view import json_text

HTML = {"Accept": "text/html"}


async def test_every_page_renders(client: httpx.AsyncClient, store: Store):
    done, queued = finished_job(store), add_job(store, '<b>"bold"</b>.pdf')
    failed = add_job(store, "locked.pdf")
    store.fail_job(failed.id, Failure("encrypted", "It needs a <password>."))
    for path, word in (
        ("/", "Turn documents into text"),
        ("/jobs", "&lt;b&gt;"),
        ("/jobs?q=fox&state=done&engine=pymupdf", "<mark>fox</mark>"),
        ("/system", "The broker does not answer"),
        ("/docs", "Submit documents"),
        (f"/jobs/{done.id}?page=2", "The quick brown fox number 2"),
        (f"/jobs/{queued.id}", "Waiting to be opened"),
        (f"/jobs/{failed.id}", "It needs a &lt;password&gt;."),
        (f"/jobs/{done.id}/reading/3", "number 3"),
    ):
        response = await client.get(path, headers=HTML)
        assert response.status_code == 200, (path, response.text[:300])
        assert word in response.text, path
        assert "<b>" not in response.text.replace('<b class="method"', "")
    missing = await client.get("/jobs/nope", headers=HTML)
    assert missing.status_code == 404
    assert "There is no" in missing.text
    assert "<!doctype html>" in missing.text


async def test_an_engine_that_is_not_started_cannot_be_chosen(client: httpx.AsyncClient):
    shown = (await client.get("/", headers=HTML)).text
    assert 'value="pymupdf" >' in shown
    assert 'value="mineru" disabled>' in shown
    assert "<code>quire engine mineru</code>" in shown


async def test_the_pages_of_a_selection_are_counted_among_themselves(
    client: httpx.AsyncClient, store: Store
):
    job = add_job(store, pages="3,8-")
    store.start_job(job.id, 400, [(3, "pymupdf"), (8, "pymupdf"), (9, "pymupdf")])
    for path in (f"/jobs/{job.id}?page=8", f"/jobs/{job.id}/reading/8"):
        shown = (await client.get(path, headers=HTML)).text
        assert "2 of 3 chosen" in shown
        assert "of 400" not in shown


async def test_what_a_model_said_cannot_run(client: httpx.AsyncClient, store: Store):
    job = add_job(store)
    store.start_job(job.id, 1, [(1, "pymupdf")])
    read_page(store, job, 1, "<script>alert(1)</script><img src=x onerror=alert(2)>")
    shown = (await client.get(f"/jobs/{job.id}/reading/1", headers=HTML)).text
    assert "<script" not in shown
    assert not re.search(r"<img[^>]+onerror", shown)


async def test_pages_name_no_other_server(client: httpx.AsyncClient):
    for path in ("/", "/jobs", "/system", "/docs", "/login"):
        text = (await client.get(path, headers=HTML, follow_redirects=True)).text
        for address in re.findall(r'(?:src|href|action)="([^"]+)"', text):
            assert address.startswith(("/", "#", "?")), (path, address)
        for asset in re.findall(r'"(/static/[^"]+)"', text):
            assert (await client.get(asset)).status_code == 200, asset


async def test_the_example_names_the_address_that_was_asked(client: httpx.AsyncClient):
    text = (await client.get("/docs", headers={**HTML, "Host": "127.0.0.1:18080"})).text
    assert "http://127.0.0.1:18080/api/v1/jobs</pre>" in text


async def test_every_route_is_described(client: httpx.AsyncClient):
    document = (await client.get("/openapi.json")).json()
    validate(document)
    (app,) = Sanic._app_registry.values()
    listed = [route for route in app.router.routes if not route.path.startswith("static")]
    assert len(listed) > 25
    for route in listed:
        assert operation_of(route.handler) is not None, route.path
        for method in set(route.methods) - {"HEAD"}:
            assert method.lower() in document["paths"][openapi_path(route.path)], route.path


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/v1/jobs", "Jobs"),
        ("/api/v1/jobs/{job}", "Job"),
        ("/api/v1/jobs/{job}/pages", "Pages"),
        ("/api/v1/jobs/{job}/pages/1", "PageResult"),
        ("/api/v1/search?q=fox", "SearchHits"),
        ("/api/v1/engines", "Engines"),
        ("/api/v1/workers", "Workers"),
        ("/api/v1/limits", "Limits"),
        ("/api/v1/jobs/nope", "Error"),
        ("/health", "Health"),
        ("/health/pymupdf", "EngineHealth"),
    ],
)
async def test_answers_are_as_described(client, store: Store, path: str, schema: str):
    job = finished_job(store)
    components = (await client.get("/openapi.json")).json()["components"]
    answer = (await client.get(path.format(job=job.id))).json()
    rule = {"$ref": f"#/components/schemas/{schema}", "components": components}
    Draft202012Validator(rule).validate(answer)
    described = set(components["schemas"]["Job"]["properties"])
    if schema == "Job":
        assert set(answer) == described


async def test_two_engines_have_a_strip_each(settings: Settings, store: Store):
    job = finished_job(store)
    (both,) = store.add_jobs([NewJob(job.document.id, "both.pdf", engine="pymupdf,mineru")])
    store.start_job(both.id, 1, [(1, "mineru"), (1, "pymupdf")])
    async with serving(settings) as client:
        text = (await client.get(f"/jobs/{both.id}", headers=HTML)).text
    strips = re.findall(r'class="strip" [^>]*data-engine="(\w+)"', text)
    assert strips == ["pymupdf", "mineru"]  # as the job names them


def test_boxes_are_on_one_line_and_texts_as_they_are():
    value = [{"bbox": [0.25, -1, 2e-07], "content": "[\n 1,\n 2]", "ids": [], "names": ["1", "2"]}]
    text = json_text(value)
    assert '"bbox": [0.25, -1, 2e-07]' in text
    assert json.loads(text) == value
    assert text.count("\n") > 6
