"""Server-sent events over a real socket, fed by a real publisher."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from shared.settings import Settings
from store.store import Store
from tests.fakes.web_system import Bus, add_job, finished_job, read_page, serving, worker

Event = tuple[str, str | None, dict[str, Any]]


class Reader:
    """The events of one job, one after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> Event:
        name, number = "", None
        async with asyncio.timeout(5):
            async for line in self._lines:
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "id":
                    number = value
                elif key == "data":
                    return name, number, json.loads(value)
        raise EOFError

    async def ended(self) -> bool:
        try:
            await self.next()
        except EOFError:
            return True
        return False


@contextlib.asynccontextmanager
async def following(
    client: httpx.AsyncClient, job_id: str, last: int | None = None
) -> AsyncIterator[Reader]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with client.stream("GET", f"/api/v1/jobs/{job_id}/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reader(response)


async def test_a_final_job_is_one_snapshot(client: httpx.AsyncClient, store: Store):
    job = finished_job(store)
    async with following(client, job.id) as events:
        name, number, data = await events.next()
        assert (name, number) == ("snapshot", str(job.revision))
        assert data["job"]["state"] == "done"
        assert [page["state"] for page in data["pages"]] == ["done"] * 3
        assert await events.ended()


async def test_a_job_is_told_from_queued_to_done(client, store: Store, bus: Bus):
    await bus.wait_for_reader()
    job = add_job(store)
    async with following(client, job.id) as events:
        name, _, data = await events.next()
        assert (name, data["pages"]) == ("snapshot", [])

        bus.job(store.start_job(job.id, 2, [(1, "pymupdf"), (2, "pymupdf")]))
        name, _, data = await events.next()  # rows are new: everything is told again
        assert (name, len(data["pages"])) == ("snapshot", 2)

        bus.table([worker(running=[f"{job.id}:1:pymupdf"])])
        name, number, data = await events.next()
        assert (name, number) == ("page", None)
        assert (data["page"], data["state"]) == (1, "running")
        listed = (await client.get(f"/api/v1/jobs/{job.id}/pages")).json()["pages"]
        assert [page["state"] for page in listed] == ["running", "pending"]

        bus.table([worker(running=[])])
        assert (await events.next())[2]["state"] == "pending"  # given back

        read = read_page(store, job, 1, "Words")
        bus.job(read, [store.pages(job.id)[0].to_json()])
        name, number, data = await events.next()
        assert (name, number, data["state"]) == ("page", None, "done")
        name, number, data = await events.next()
        assert (name, number) == ("job", str(read.revision))
        assert data["counts"]["done"] == 1

        # The table is older than the commit: page 1 is settled and stays so.
        bus.table([worker(running=[f"{job.id}:1:pymupdf", f"{job.id}:2:pymupdf"])])
        assert (await events.next())[2] == {
            "page": 2,
            "asked": "pymupdf",
            "engine": "pymupdf",
            "state": "running",
            "mark": "running",
        }
        bus.job(read)  # said twice
        read_page(store, job, 2, "More")
        bus.job(store.finish_job(job.id, {"md": store.blobs.put(b"x")}))
        name, _, data = await events.next()
        assert (name, data["job"]["state"], data["job"]["formats"]) == ("snapshot", "done", ["md"])
        assert await events.ended()


async def test_a_missed_change_is_made_good(client, store: Store, bus: Bus):
    await bus.wait_for_reader()
    job = add_job(store)
    store.start_job(job.id, 3, [(page, "pymupdf") for page in (1, 2, 3)])
    async with following(client, job.id) as events:
        await events.next()
        read_page(store, job, 1, "nobody tells of this one")
        bus.job(read_page(store, job, 2, "two"), [store.pages(job.id)[1].to_json()])
        name, _, data = await events.next()
        assert name == "snapshot"
        assert [page["state"] for page in data["pages"]] == ["done", "done", "pending"]


async def test_a_slow_reader_is_given_a_new_snapshot(client, store: Store, bus: Bus):
    await bus.wait_for_reader()
    job = add_job(store)
    running = store.start_job(job.id, 1, [(1, "pymupdf")])
    async with following(client, job.id) as events:
        await events.next()
        for _ in range(3000):
            bus.job(running)
        cancelled = await client.post(f"/api/v1/jobs/{job.id}/cancel")
        assert cancelled.json()["state"] == "cancelled"
        for _ in range(5):  # far fewer than were said
            name, _, data = await events.next()
            assert name == "snapshot"
            if data["job"]["state"] == "cancelled":
                break
        assert await events.ended()


async def test_resuming_leaves_out_what_was_seen(client, store: Store, bus: Bus):
    await bus.wait_for_reader()
    job = add_job(store)
    started = store.start_job(job.id, 1, [(1, "pymupdf")])
    async with following(client, job.id, started.revision) as events:
        read = read_page(store, job, 1, "x")
        bus.job(read, [store.pages(job.id)[0].to_json()])
        assert (await events.next())[0] == "page"
        assert (await events.next())[1] == str(read.revision)
    async with following(client, job.id, started.revision) as events:
        assert (await events.next())[0] == "snapshot"


async def test_a_stopping_server_says_so_at_once(settings: Settings, store: Store):
    job = add_job(store)
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as reading, contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(serving(settings))
        other = await reading.enter_async_context(httpx.AsyncClient(base_url=client.base_url))
        events = await reading.enter_async_context(following(other, job.id))
        await events.next()
        began = loop.time()
        await stack.aclose()
        assert (await events.next())[0] == "closing"
        assert loop.time() - began < 2
