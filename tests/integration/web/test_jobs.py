"""Jobs over REST: list, show, pages, results, replay, cancel, delete, search."""

import asyncio
import io
import zipfile

import httpx
import pytest

from shared.followups import MERGE
from shared.records import Failure
from shared.settings import Settings
from shared.states import Lane, Origin
from store.store import Store
from tests.fakes.web_system import (
    PDF_BYTES,
    PNG_BYTES,
    add_job,
    finished_job,
    left_behind,
    read_page,
)


async def test_a_list_is_filtered_and_goes_on(client: httpx.AsyncClient, store: Store):
    done = finished_job(store, name="done.pdf")
    for number in range(4):
        add_job(store, f"{number}.pdf", engine="auto")
    first = (await client.get("/api/v1/jobs", params={"limit": 3})).json()
    assert [job["document"]["name"] for job in first["jobs"]] == ["3.pdf", "2.pdf", "1.pdf"]
    rest = (await client.get("/api/v1/jobs", params={"limit": 3, "cursor": first["next"]})).json()
    assert [job["document"]["name"] for job in rest["jobs"]] == ["0.pdf", "done.pdf"]
    assert rest["next"] is None
    for query in ({"state": "done"}, {"engine": "pymupdf"}, {"q": "DONE"}, {"q": "中文"}):
        (job,) = (await client.get("/api/v1/jobs", params=query)).json()["jobs"]
        assert job["id"] == done.id, query


@pytest.mark.parametrize(
    "query", ["state=over", "limit=0", "limit=x", "limit=9999", "cursor=zzz", "q=" + "x" * 501]
)
async def test_a_bad_parameter_is_named(client: httpx.AsyncClient, query: str):
    response = await client.get(f"/api/v1/jobs?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["param"] == query.partition("=")[0]


async def test_a_job_and_its_pages(client: httpx.AsyncClient, store: Store):
    job = finished_job(store)
    shown = (await client.get(f"/api/v1/jobs/{job.id}")).json()
    assert shown["state"] == "done"
    assert shown["counts"] == {"total": 3, "pending": 0, "done": 3, "failed": 0, "cancelled": 0}
    assert "error" not in shown
    pages = (await client.get(f"/api/v1/jobs/{job.id}/pages")).json()["pages"]
    assert [page["page"] for page in pages] == [1, 2, 3]
    assert pages[0]["milliseconds"] == 12.5
    some = (await client.get(f"/api/v1/jobs/{job.id}/pages?after=1&limit=1")).json()["pages"]
    assert [page["page"] for page in some] == [2]
    page = (await client.get(f"/api/v1/jobs/{job.id}/pages/2")).json()
    assert page["blocks"][0]["content"] == "Page 2"
    assert page["markdown"].startswith("# Page 2")
    assert (page["raw"], page["raw_encoding"]) == ("//4gcmF3", "base64")


async def test_images_are_those_of_the_job(client: httpx.AsyncClient, store: Store):
    job, other = finished_job(store), add_job(store, "other.pdf")
    picture = await client.get(f"/api/v1/jobs/{job.id}/pages/2/image")
    assert picture.content == PNG_BYTES + b"view2"
    assert picture.headers["content-type"] == "image/png"
    again = await client.get(
        f"/api/v1/jobs/{job.id}/pages/2/image",
        headers={"If-None-Match": picture.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get(f"/api/v1/jobs/{job.id}/pages/3/image")).status_code == 404
    sha256 = store.page_result(job.id, 1).images[0]
    figure = await client.get(f"/api/v1/jobs/{job.id}/images/{sha256}.png")
    assert figure.content == PNG_BYTES + b"1"
    assert "immutable" in figure.headers["cache-control"]
    for job_id, name in ((other.id, sha256), (job.id, job.document.id), (job.id, "..%2fx")):
        response = await client.get(f"/api/v1/jobs/{job_id}/images/{name}.png")
        assert response.status_code == 404, name


async def test_results_come_in_every_format(client: httpx.AsyncClient, store: Store):
    job = finished_job(store, name='Ünder "quote".pdf')
    for extension, media_type in (
        ("md", "text/markdown; charset=utf-8"),
        ("json", "application/json"),
        ("html", "text/html; charset=utf-8"),
        ("txt", "text/plain; charset=utf-8"),
    ):
        response = await client.get(f"/api/v1/jobs/{job.id}/result.{extension}")
        assert response.headers["content-type"] == media_type
        assert response.content == store.blobs.read(job.artifacts[extension])
        assert response.headers["content-security-policy"].startswith("sandbox")
    response = await client.get(f"/api/v1/jobs/{job.id}/result.md?download=1")
    named = response.headers["content-disposition"]
    assert named == (
        "attachment; filename=\"_nder _quote_.md\"; filename*=UTF-8''%C3%9Cnder%20%22quote%22.md"
    )
    archive = zipfile.ZipFile(
        io.BytesIO((await client.get(f"/api/v1/jobs/{job.id}/result.zip")).content)
    )
    assert archive.testzip() is None
    names = archive.namelist()
    assert names[:4] == ["result.html", "result.json", "result.md", "result.txt"]
    assert len([name for name in names if name.startswith("images/")]) == 3
    assert archive.read("result.md") == b"# Page 1\n"


async def test_no_result_is_explained(client: httpx.AsyncClient, store: Store):
    job = add_job(store)
    response = await client.get(f"/api/v1/jobs/{job.id}/result.md")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "job_is_open")
    await client.post(f"/api/v1/jobs/{job.id}/cancel")
    response = await client.get(f"/api/v1/jobs/{job.id}/result.md")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "no_result")
    response = await client.get(f"/api/v1/jobs/{finished_job(store).id}/result.rtf")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


async def test_what_a_cancelled_job_has_read_is_a_result(client: httpx.AsyncClient, store: Store):
    job = add_job(store)
    store.start_job(job.id, 2, [(1, "pymupdf"), (2, "pymupdf")])
    read_page(store, job, 1, "Read in time.")
    shown = (await client.post(f"/api/v1/jobs/{job.id}/cancel")).json()
    assert (shown["state"], shown["formats"], shown["has_result"]) == ("cancelled", [], True)
    url = f"/api/v1/jobs/{job.id}/result"
    assert (await client.get(f"{url}.zip?wait=0")).status_code == 202
    asked = asyncio.ensure_future(client.get(f"{url}.md"))
    (wish,) = store.wishes()
    assert wish.kind == MERGE
    store.fulfil(wish, {"md": store.blobs.put(b"Read in time.")})
    assert (await asked).text == "Read in time."
    shown = (await client.get(f"/api/v1/jobs/{job.id}")).json()
    assert (shown["state"], shown["formats"]) == ("cancelled", ["md"])
    assert (await client.get(f"{url}.md")).text == "Read in time."
    assert store.wishes() == []


async def test_what_is_not_there_is_404(client: httpx.AsyncClient, store: Store):
    job = add_job(store)
    for path, code in (
        ("/api/v1/jobs/nope", "job_not_found"),
        ("/api/v1/jobs/nope/pages", "job_not_found"),
        ("/api/v1/jobs/nope/events", "job_not_found"),
        ("/api/v1/jobs/nope/result.md", "job_not_found"),
        (f"/api/v1/jobs/{job.id}/pages/1", "page_not_ready"),
        (f"/api/v1/jobs/{job.id}/pages/1/image", "image_not_found"),
        ("/api/v1/nope", "not_found"),
        ("/health/tesseract", "unknown_engine"),
    ):
        response = await client.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (404, code), path
    assert (await client.get(f"/api/v1/jobs/{job.id}/pages/0")).status_code == 400
    assert (await client.put("/api/v1/jobs")).json()["error"]["code"] == "method_not_allowed"


async def test_replays_inherit_and_override(client: httpx.AsyncClient, store: Store):
    parent = finished_job(store)
    response = await client.post(f"/api/v1/jobs/{parent.id}/replay")
    assert response.status_code == 202
    same = store.job(response.json()["id"])
    assert (same.parent, same.engine, same.document.id) == (
        parent.id,
        "pymupdf",
        parent.document.id,
    )
    body = {"engine": "auto", "pages": "2", "reuse": True, "priority": "backfill", "options": {}}
    answer = (await client.post(f"/api/v1/jobs/{parent.id}/replay", json=body)).json()
    other = store.job(answer["id"])
    assert (other.engine, other.pages, other.reuse, other.lane) == (
        "auto",
        "2",
        True,
        Lane.BACKFILL,
    )
    answer = (
        await client.post(f"/api/v1/jobs/{parent.id}/replay", json={"from": "postprocess"})
    ).json()
    assert store.job(answer["id"]).origin is Origin.POSTPROCESS


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"from": "the start"}', "bad_replay"),
        ('{"from": "postprocess", "engine": "auto"}', "bad_replay"),
        ('{"engine": "nope"}', "unknown_engine"),
        ('{"pages": "0"}', "bad_page_range"),
        ('{"pages": "4-"}', "bad_page_range"),
        ('{"pages": 3}', "bad_field"),
        ('{"reuse": "perhaps"}', "bad_field"),
        ('{"options": []}', "bad_option"),
        ('{"colour": 1}', "unknown_field"),
        ("[]", "bad_json"),
        ("{", "bad_json"),
    ],
)
async def test_a_bad_replay_is_refused(client: httpx.AsyncClient, store: Store, body, code):
    parent = finished_job(store)
    response = await client.post(f"/api/v1/jobs/{parent.id}/replay", content=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert store.runs(parent.id) == []


async def test_a_document_that_no_run_can_read_is_not_run_again(client, store: Store):
    job = add_job(store)
    store.fail_job(job.id, Failure("encrypted", "The document needs a password."))
    assert not (await client.get(f"/api/v1/jobs/{job.id}")).json()["can_run_again"]
    response = await client.post(f"/api/v1/jobs/{job.id}/replay", json={})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "encrypted")
    assert response.json()["detail"] == "The document needs a password."
    slow = add_job(store, "slow.pdf")
    store.fail_job(slow.id, Failure("open_timeout", "It did not open in time."))
    assert (await client.get(f"/api/v1/jobs/{slow.id}")).json()["can_run_again"]
    assert (await client.post(f"/api/v1/jobs/{slow.id}/replay", json={})).status_code == 202


async def test_cancel_then_delete(client: httpx.AsyncClient, store: Store, settings: Settings):
    job = add_job(store)
    response = await client.delete(f"/api/v1/jobs/{job.id}")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "job_is_open")
    assert (await client.post(f"/api/v1/jobs/{job.id}/cancel")).json()["state"] == "cancelled"
    response = await client.post(f"/api/v1/jobs/{job.id}/cancel")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "job_is_final")
    assert (await client.delete(f"/api/v1/jobs/{job.id}")).status_code == 204
    assert (await client.get(f"/api/v1/jobs/{job.id}")).status_code == 404
    assert [path for path in left_behind(settings) if "blobs" in path.parts] == []


async def test_search_finds_pages_in_every_script(client: httpx.AsyncClient, store: Store):
    job = finished_job(store)
    for words in ("quick fox", "中文", "文"):
        hits = (await client.get("/api/v1/search", params={"q": words, "limit": 2})).json()
        assert {hit["job"] for hit in hits["hits"]} == {job.id}
        assert len(hits["hits"]) == 2
        assert hits["next"] == 2
        assert "\u2068" in hits["hits"][0]["snippet"]
    last = (await client.get("/api/v1/search?q=fox&limit=2&offset=2")).json()
    assert (len(last["hits"]), last["next"]) == (1, None)
    for nothing in ("/api/v1/search", "/api/v1/search?q=", "/api/v1/search?q=%20"):
        response = await client.get(nothing)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "empty_query")


async def test_priority_is_changed_while_a_job_is_open(client: httpx.AsyncClient, store: Store):
    job = add_job(store, lane=Lane.BATCH)
    url = f"/api/v1/jobs/{job.id}/priority"
    response = await client.post(url, json={"priority": "interactive"})
    assert (response.status_code, response.json()["priority"]) == (200, "interactive")
    assert store.job(job.id).lane is Lane.INTERACTIVE
    assert store.job(job.id).revision == job.revision + 1
    for body in ({"priority": "at once"}, {}):
        response = await client.post(url, json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_priority")
    store.cancel_job(job.id)
    response = await client.post(url, json={"priority": "batch"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "job_is_final")


async def test_deep_options_are_refused(client: httpx.AsyncClient):
    fields = {"options": "[" * 3000}
    response = await client.post("/api/v1/jobs", files={"file": ("a.pdf", PDF_BYTES)}, data=fields)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_option")
