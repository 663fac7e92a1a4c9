"""Pages under auto, their routes and refused answers, as the API and the event stream tell them."""

from dataclasses import replace

from jsonschema import Draft202012Validator

from shared.messages import Publish
from shared.records import Retry, Settled
from shared.routing import Attempt, Route
from shared.states import PageState
from tests.fakes.store_work import result
from tests.fakes.web_system import Bus, add_job, worker
from tests.integration.web.test_events import following
from web.schemas import SCHEMAS

REFUSED = Attempt("deepseek", "refused", "It repeats itself.", "loop", finding="loop", text="la la")
ROUTE = Route("mineru", "mineru reads it instead.", "engine", turn=1)


def auto_job(store):
    return store.start_job(add_job(store, engine="auto").id, 2, [(1, "auto"), (2, "auto")])


async def test_a_page_tells_its_engine_its_choice_and_its_history(client, store):
    job = auto_job(store)
    store.settle([Retry(job.id, 1, "auto", 0, ROUTE, history=(REFUSED,))])
    address = f"/api/v1/jobs/{job.id}/pages"
    first, second = (await client.get(address)).json()["pages"]
    assert (first["engine"], first["asked"], first["mark"]) == ("mineru", "auto", "fallback")
    assert first["choice"] == "mineru reads it instead."
    assert (first["state"], second["mark"], second["history"]) == ("pending", "queued", [])
    [attempt] = first["history"]
    assert (attempt["engine"], attempt["outcome"], attempt["rung"]) == (
        "deepseek",
        "refused",
        "first",
    )
    assert "text" not in attempt
    schema = {**SCHEMAS["Attempt"], "components": {"schemas": SCHEMAS}}
    Draft202012Validator(schema).validate(attempt)

    told = (await client.get(f"{address}/1/attempts?engine=mineru")).json()["attempts"]
    assert told == [{**attempt, "text": "la la"}]
    assert (await client.get(f"{address}/2/attempts")).json() == {"attempts": []}
    for missing in ("/9/attempts", "/1/attempts?engine=pymupdf"):
        assert (await client.get(address + missing)).status_code == 404

    answer = replace(result(job, 1, "good", engine="mineru"), asked="auto")
    settled = Settled(job.id, 1, "auto", PageState.DONE, result=answer, rung="engine")
    store.settle([settled])
    for name in ("auto", "mineru"):
        shown = (await client.get(f"{address}/1?engine={name}")).json()
        assert (shown["engine"], shown["asked"]) == ("mineru", "auto")
    view = await client.get(f"/jobs/{job.id}?page=1&engine=mineru", follow_redirects=True)
    assert view.text.count('class="strip"') == 1
    assert "good" in view.text


async def test_a_page_that_is_tried_again_is_told_at_once(client, store, bus: Bus):
    await bus.wait_for_reader()
    job = auto_job(store)
    async with following(client, job.id) as events:
        await events.next()
        bus.table([worker(running=[f"{job.id}:1:auto"])])
        assert (await events.next())[2]["engine"] == "pymupdf"  # that of the process

        data = {"page": 1, "asked": "auto", "engine": "pymupdf", "reason": "It was lost."}
        bus.send(Publish(job.id, "returned", 0, data))
        frame = (await events.next())[2]
        assert (frame["state"], frame["mark"], frame["reason"]) == (
            "pending",
            "retried",
            "It was lost.",
        )
        (change,) = store.settle([Retry(job.id, 1, "auto", 0, ROUTE, history=(REFUSED,))])
        bus.job(change.job, [task.to_json() for task in change.retried])
        name, _, frame = await events.next()
        assert (name, frame["mark"], frame["engine"]) == ("page", "fallback", "mineru")
        assert (await events.next())[0] == "job"
