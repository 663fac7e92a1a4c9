"""Who may talk to the server: keys, sessions, origins, host names, headers."""

import dataclasses

import httpx
import pytest

from shared.settings import Settings
from store.store import Store
from tests.fakes.web_system import add_job, finished_job, free_ports, serving


@pytest.fixture
async def keyed(settings: Settings):
    async with serving(dataclasses.replace(settings, api_keys=("key-one", "schlüssel"))) as client:
        yield client


async def test_a_key_is_needed(keyed: httpx.AsyncClient):
    for path in ("/api/v1/jobs", "/api/v1/engines", "/metrics", "/api/v1/nope"):
        response = await keyed.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "no_api_key")
        assert response.headers["www-authenticate"].startswith("Bearer")
    for headers in ({"Authorization": "Bearer key-one"}, {"X-API-Key": "key-one"}):
        assert (await keyed.get("/api/v1/jobs", headers=headers)).status_code == 200
    for headers in ({"Authorization": "Bearer key-on"}, {"X-API-Key": "key-one2"}):
        response = await keyed.get("/api/v1/jobs", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "bad_api_key")
    for path in ("/health", "/health/pymupdf", "/openapi.json", "/static/base.css"):
        assert (await keyed.get(path)).status_code in {200, 503}, path


async def test_the_browser_is_asked_once(keyed: httpx.AsyncClient):
    page = await keyed.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (302, "/login")
    assert "API key" in (await keyed.get("/login", headers={"Accept": "text/html"})).text
    assert (await keyed.post("/login", data={"key": "wrong"})).status_code == 401
    entered = await keyed.post("/login", data={"key": "schlüssel"})
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "schl" not in cookie
    assert (await keyed.get("/api/v1/jobs")).status_code == 200
    assert (await keyed.post("/logout")).status_code == 303
    assert (await keyed.get("/api/v1/jobs")).status_code == 401


async def test_another_site_may_not_change_anything(client: httpx.AsyncClient, store: Store):
    job = add_job(store)
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        response = await client.post(f"/api/v1/jobs/{job.id}/cancel", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "foreign_origin")
    assert store.job(job.id).state == "queued"
    own = {"Origin": str(client.base_url).rstrip("/")}
    assert (await client.post(f"/api/v1/jobs/{job.id}/cancel", headers=own)).status_code == 200


async def test_cors_is_off_by_default_and_by_setting(client, settings: Settings):
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    response = await client.options("/api/v1/jobs", headers=headers)
    assert "access-control-allow-origin" not in response.headers
    (port,) = free_ports(1)
    other = dataclasses.replace(settings, cors_origins=("https://app.example",), port=port)
    async with serving(other) as allowed:
        response = await allowed.options("/api/v1/jobs", headers=headers)
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        assert "POST" in response.headers["access-control-allow-methods"]
        response = await allowed.get("/api/v1/jobs", headers=headers)
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        response = await allowed.get("/api/v1/jobs", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in response.headers


async def test_a_name_that_is_not_ours_is_refused(client: httpx.AsyncClient):
    response = await client.get("/api/v1/jobs", headers={"Host": "rebound.example:8080"})
    assert (response.status_code, response.json()["error"]["code"]) == (421, "wrong_host")
    for host in ("localhost:1", "127.0.0.1", "[::1]:8080", "LOCALHOST"):
        assert (await client.get("/api/v1/jobs", headers={"Host": host})).status_code == 200


async def test_a_proxys_name_is_ours_when_the_settings_say_so(settings: Settings):
    named = dataclasses.replace(settings, host_names=("ocr.example",))
    async with serving(named) as client:
        for host, status in (("OCR.example:443", 200), ("localhost", 200), ("evil.example", 421)):
            response = await client.get("/api/v1/limits", headers={"Host": host})
            assert response.status_code == status, host
        origin = {"Host": "ocr.example", "Origin": "https://ocr.example"}
        response = await client.post("/api/v1/jobs/none/cancel", headers=origin)
        assert response.status_code == 404


async def test_head_is_get_without_its_body(client: httpx.AsyncClient, store: Store):
    job = finished_job(store)
    for path in ("/", "/health", "/api/v1/jobs", f"/api/v1/jobs/{job.id}/result.md", "/metrics"):
        get, head = await client.get(path), await client.head(path)
        assert head.status_code == get.status_code, path
        assert head.content == b""
        assert head.headers["content-type"] == get.headers["content-type"], path
    assert (await client.head("/api/v1/jobs/none")).status_code == 404
    assert (await client.head(f"/api/v1/jobs/{job.id}/cancel")).status_code == 405


async def test_every_answer_is_guarded(client: httpx.AsyncClient, store: Store):
    job = finished_job(store)
    for path in ("/", f"/jobs/{job.id}", "/nope", "/api/v1/jobs", "/static/base.css"):
        response = await client.get(path, headers={"Accept": "text/html"})
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "server" not in headers
        assert "<script>" not in response.text
        assert "style=" not in response.text


async def test_a_key_that_is_no_text_is_a_wrong_key(settings: Settings):
    locked = dataclasses.replace(settings, api_keys=("open sesame",))
    async with serving(locked) as client:
        for headers in ({"X-API-Key": b"\xff\xfe"}, {"Cookie": b"quire_session=\xff"}):
            response = await client.get("/api/v1/jobs", headers=headers)
            assert response.status_code == 401, headers
