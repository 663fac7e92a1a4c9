"""Exports, comparisons and taken pages over HTTP; this test plays the collect stage."""

import asyncio
import time
import zipfile
from io import BytesIO

import httpx
from jsonschema import Draft202012Validator

from shared.compare import PageAgreement, measure
from shared.followups import EXPORTS, MERGE
from shared.records import Failure, Job, NewJob
from store.store import Store
from tests.fakes.store_work import done
from tests.fakes.web_system import finished_job

TEXTS = {("a", 1): "one two three", ("b", 1): "one 2 three", ("a", 2): "same", ("b", 2): "same"}


def two_engines(store: Store, **more) -> Job:
    document = finished_job(store).document
    (job,) = store.add_jobs([NewJob(document.id, "both.pdf", engine="a,b", **more)])
    store.start_job(job.id, 2, [(page, name) for page in (1, 2) for name in ("a", "b")])
    for (name, page), text in TEXTS.items():
        store.settle([done(job, page, text, name)])
    return store.finish_job(job.id, {"md": store.blobs.put(b"first merge")})


async def wish_of(store: Store, kind: str):
    while not (found := [w for w in store.wishes() if w.kind == kind]):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return found[0]


async def test_an_export_is_waited_for_and_sent_when_it_is_made(client, store):
    job = finished_job(store)
    asked = asyncio.ensure_future(client.get(f"/api/v1/jobs/{job.id}/result.docx"))
    wish = await wish_of(store, "docx")
    store.fulfil(wish, {"docx": store.blobs.put(b"a document")})
    answer = await asked
    assert answer.content == b"a document"
    assert 'filename="report.docx"' in answer.headers["content-disposition"]
    again = await client.get(f"/api/v1/jobs/{job.id}/result.docx")
    assert again.content == b"a document"
    assert store.wishes() == []
    shown = (await client.get(f"/api/v1/jobs/{job.id}")).json()
    assert "docx" in shown["formats"]


async def test_an_export_that_takes_longer_answers_202_and_when_to_come_back(client, store):
    job = finished_job(store)
    answer = await client.get(f"/api/v1/jobs/{job.id}/result.pdf?wait=0")
    assert answer.status_code == 202
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["kind"] == "pdf"
    assert (await client.get(f"/api/v1/jobs/{job.id}/result.pdf?wait=99")).status_code == 400


async def test_an_export_that_cannot_be_made_says_why(client, store):
    job = finished_job(store)
    store.fail_wish(store.want(job.id, "pdf"), Failure("encrypted", "It needs a password."))
    answer = await client.get(f"/api/v1/jobs/{job.id}/result.pdf")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "encrypted"
    assert answer.json()["detail"] == "It needs a password."


async def test_the_archive_of_everything_has_the_schema_and_each_format(client, store):
    job = finished_job(store)
    url = f"/api/v1/jobs/{job.id}/result.zip"
    small = zipfile.ZipFile(BytesIO((await client.get(url)).content))
    assert "quire-1.json" in small.namelist()
    assert not [name for name in small.namelist() if name.endswith(".docx")]
    asked = asyncio.ensure_future(client.get(f"{url}?all=1"))
    for kind in ("docx", "pdf", "hocr"):
        store.fulfil(await wish_of(store, kind), {kind: store.blobs.put(kind.encode())})
    whole = zipfile.ZipFile(BytesIO((await asked).content))
    assert {f"result.{kind}" for kind in ("md", "json", "docx", "pdf", "hocr")} <= set(
        whole.namelist()
    )
    assert [name for name in whole.namelist() if name.startswith("images/")]


async def test_compared_pages_come_worst_first(client, store):
    job = two_engines(store)
    measured = [PageAgreement(p, "a", "b", measure(TEXTS["a", p], TEXTS["b", p])) for p in (2, 1)]
    store.put_agreements(job.id, job.id, measured)
    body = await described(client, f"/api/v1/jobs/{job.id}/compare?limit=1", "Comparison")
    (worst,) = body["pages"]
    assert (worst["page"], body["total"], body["next"]) == (1, 2, 1)
    assert (worst["left"]["engine"], worst["right"]["engine"]) == ("a", "b")
    assert 0 < worst["agreement"] < 1


async def test_two_jobs_are_compared_when_first_asked(client, store):
    job = two_engines(store)
    other = two_engines(store)
    url = f"/api/v1/jobs/{job.id}/compare?with={other.id}"
    asked = asyncio.ensure_future(client.get(url))
    wish = await wish_of(store, f"compare:{other.id}")
    assert wish.other_job == other.id
    store.put_agreements(job.id, other.id, [PageAgreement(1, "a", "b", measure("x", "y"))])
    store.fulfil(wish, {})
    assert (await asked).json()["total"] == 1
    stranger = finished_job(store, name="another.pdf")
    refused = await client.get(f"/api/v1/jobs/{job.id}/compare?with={stranger.id}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "other_document")


async def test_two_jobs_without_a_page_in_common_are_measured_once(client, store):
    job, other = two_engines(store), two_engines(store)
    url = f"/api/v1/jobs/{job.id}/compare?with={other.id}&wait=0"
    assert (await client.get(url)).status_code == 202
    store.put_agreements(job.id, other.id, [])
    store.fulfil(await wish_of(store, f"compare:{other.id}"), {})
    answer = await client.get(url)
    assert (answer.status_code, answer.json()["total"], store.wishes()) == (200, 0, [])


async def test_a_page_is_compared_word_by_word(client, store):
    job = two_engines(store)
    url = f"/api/v1/jobs/{job.id}/compare/1"
    body = await described(client, url, "PageComparison")
    assert [(d["kind"], d["left"], d["right"]) for d in body["differences"]] == [
        ("same", "one ", "one "),
        ("changed", "two ", "2 "),
        ("same", "three", "three"),
    ]
    assert (body["left"]["engine"], body["right"]["engine"]) == ("a", "b")
    turned = (await client.get(f"{url}?left=b&right=a")).json()
    assert turned["differences"][1]["left"] == "2 "
    one = finished_job(store)
    alone = await client.get(f"/api/v1/jobs/{one.id}/compare/1")
    assert (alone.status_code, alone.json()["error"]["code"]) == (409, "one_reading")
    against = await client.get(f"{url}?with={one.id}")
    assert against.json()["right"]["job"] == one.id


async def test_a_page_is_taken_and_the_result_waits_for_the_new_merge(client, store):
    job = two_engines(store)
    url = f"/api/v1/jobs/{job.id}"
    taken = await client.post(f"{url}/pages/1/take", json={"engine": "b"})
    assert taken.status_code == 200
    assert (await client.get(f"{url}/pages/1")).json()["engine"] == "b"
    assert (await client.get(f"{url}/compare/1")).json()["left"]["taken"]
    late = await client.get(f"{url}/result.md?wait=0")
    assert late.status_code == 202
    store.fulfil(await wish_of(store, MERGE), {"md": store.blobs.put(b"second merge")})
    assert (await client.get(f"{url}/result.md")).content == b"second merge"
    for body in ({}, {"engine": 3}, [1]):
        assert (await client.post(f"{url}/pages/1/take", json=body)).status_code == 400
    assert (await client.post(f"{url}/pages/9/take", json={"engine": "b"})).status_code == 404
    assert (await client.post(f"{url}/pages/1/take", json={"engine": None})).status_code == 200
    assert (await client.get(f"{url}/pages/1")).json()["engine"] == "a"


async def test_the_schema_of_the_json_is_served(client: httpx.AsyncClient):
    schema = (await client.get("/schema/quire-1.json")).json()
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == "quire/1"


async def described(client, url, name):
    """The answer, held against the published schema of that name."""
    components = (await client.get("/openapi.json")).json()["components"]
    body = (await client.get(url)).json()
    rule = {"$ref": f"#/components/schemas/{name}", "components": components}
    Draft202012Validator(rule).validate(body)
    return body


async def test_a_merge_that_failed_is_asked_for_again(client, store, monkeypatch):
    job = two_engines(store)
    url = f"/api/v1/jobs/{job.id}"
    await client.post(f"{url}/pages/1/take", json={"engine": "b"})
    store.fail_wish(await wish_of(store, MERGE), Failure("blob_missing", "A crop is gone."))
    refused = await client.get(f"{url}/result.md?wait=0")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "blob_missing")
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert (await client.get(f"{url}/result.md?wait=0")).status_code == 202
    store.fulfil(await wish_of(store, MERGE), {"md": store.blobs.put(b"merged after all")})
    assert (await client.get(f"{url}/result.md")).content == b"merged after all"


async def test_everything_is_waited_for_once(client, store):
    job = two_engines(store)
    begun = time.monotonic()
    response = await client.get(f"/api/v1/jobs/{job.id}/result.zip?all=1&wait=1")
    assert response.status_code == 202
    assert time.monotonic() - begun < 2.5
    assert {wish.kind for wish in store.wishes()} >= set(EXPORTS)


async def test_a_job_without_a_result_is_not_compared_with(client, store):
    job = two_engines(store)
    values = {"document_id": job.document.id, "document_name": "again.pdf", "engine": "a"}
    (still_open,) = store.add_jobs([NewJob(**values, parent=job.id)])
    response = await client.get(f"/api/v1/jobs/{job.id}/compare?with={still_open.id}")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "no_result")
