"""Nothing accepted is lost, whatever is killed."""

import pytest

from shared.messages import parse_page_key
from shared.states import JobState

PAGES = 60


@pytest.mark.timeout(120)
async def test_sixty_pages_survive_the_kill_of_every_process(running, make_pdf, monkeypatch):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.05")
    async with running() as system:
        data = make_pdf(*(f"page {n} is here" for n in range(1, PAGES + 1)))
        job = await system.submit(data)
        for number, name in enumerate(("text", "broker", "collect", "split")):
            await system.until(job, lambda now, n=number: now.counts.done >= 5 + 8 * n)
            system.kill(name)
        job = await system.finished(job, seconds=80)
        tasks = system.store.pages(job.id)
        assert job.state is JobState.DONE
        assert [task.page for task in tasks] == list(range(1, PAGES + 1))
        assert all(task.state.value == "done" for task in tasks)
        text = system.store.blobs.read(job.artifacts["txt"]).decode()
        assert all(text.count(f"page {n} is here") == 1 for n in range(1, PAGES + 1))


async def test_pages_in_hand_are_adopted_by_a_new_broker(running, make_pdf, monkeypatch):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "3.0")
    async with running() as system:
        job = await system.submit(make_pdf("only page"))
        table = await system.table(lambda t: any(w.running for w in t.of_engine("text")))
        [key] = table.of_engine("text")[0].running
        assert parse_page_key(key) == (job.id, 1, "text")
        first = table.epoch
        system.kill("broker")
        job = await system.finished(job)
        [task] = system.store.pages(job.id)
        assert task.state.value == "done"
        assert task.crashes == 0
        assert task.attempts == 1
        # a table comes each second: wait for one of the new broker that has counted it
        await system.table(lambda t: t.epoch != first and t.counters.get("adopted", 0) == 1)


async def test_a_job_whose_doorbell_was_lost_is_picked_up(system, make_pdf):
    system.bus.submit = _no_doorbell  # the job is only in the store
    job = await system.submit(make_pdf("quiet"))
    job = await system.finished(job, seconds=20)
    assert job.state is JobState.DONE


async def _no_doorbell(_job):
    return


async def test_a_system_drains_and_the_next_one_goes_on(tmp_path, running, make_pdf, monkeypatch):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.1")
    flags = {"data": tmp_path / "data"}
    async with running(**flags) as system:
        job = await system.submit(make_pdf(*(f"page {n} is here" for n in range(1, 21))))
        await system.until(job, lambda now: now.counts.done >= 4)
    async with running(**flags) as system:
        before = {t.page for t in system.store.pages(job.id) if t.state.value == "done"}
        job = await system.finished(job)
        tasks = system.store.pages(job.id)
        assert len(before) >= 4
        assert all(task.attempts == 1 and task.crashes == 0 for task in tasks)
