"""Refused answers climb the ladder; pages whose engine is away go elsewhere. Real processes."""

from pathlib import Path

import pytest

from shared.states import JobState, PageState
from tests.fakes.systems import BETTER_ENGINE, TEXT_ENGINE, join, pdf_of, scan_of

TWO = {"engines": "better,text", "engine_classes": f"{TEXT_ENGINE},{BETTER_ENGINE}"}
PAGES = 24
SEEN_EMPTY = "EMPTY is what the model says of this page, which has a line of words on it"


async def both_ready(system, *names):
    await system.table(
        lambda t: all(any(w.state == "ready" for w in t.of_engine(n)) for n in names)
    )


def rungs(task):
    return [(a.engine, a.rung or "first", a.outcome, a.finding) for a in task.history]


async def test_a_refused_answer_climbs_until_one_is_good(running):
    async with running(**TWO) as system:
        await both_ready(system, "better", "text")
        texts = ("a good page", "LOOP for ever", "LOOPCOLD only", SEEN_EMPTY, "CUT off", "")
        job = await system.finished(await system.submit(scan_of(*texts), engine="auto"))
        assert (job.state, job.counts.done) == (JobState.DONE, 6)
        good, loop, cold, empty, cut, blank = system.store.pages(job.id)
        assert {task.asked for task in system.store.pages(job.id)} == {"auto"}
        assert (good.engine, good.mark, good.history, good.turn) == ("better", "done", (), 0)
        assert "no sound text layer" in good.choice

        first = ("better", "first", "refused", "loop")
        assert rungs(loop) == [
            first,
            ("better", "sampling", "refused", "loop"),
            ("better", "prompt", "refused", "loop"),
        ]
        assert (loop.engine, loop.mark, loop.attempts) == ("text", "fallback", 4)
        assert "better was refused" in loop.choice
        assert "repeats itself" in loop.choice
        assert system.store.page_result(job.id, 2).engine == "text"
        kept = system.store.attempts(job.id, 2, "auto")
        assert kept[0].text.startswith("better read LOOP for ever and so on and so on")

        assert rungs(cold) == [first]
        assert (cold.engine, cold.rung, cold.mark) == ("better", "sampling", "retried")
        result = system.store.page_result(job.id, 3)
        assert (result.text.strip(), result.options) == (
            "better read LOOPCOLD only",
            {"temperature": 0.2},
        )

        assert [a.rung for a in empty.history] == ["", "prompt"]
        assert {a.finding for a in empty.history} == {"empty"}
        assert (empty.engine, empty.mark) == ("text", "fallback")

        assert [a.finding for a in cut.history] == ["cut"] * 3
        assert system.store.page_result(job.id, 5).text.strip() == "CUT off"

        [invented] = system.store.attempts(job.id, 6, "auto")
        assert (invented.finding, invented.text.strip()) == ("blank", "The Art of War")
        result = system.store.page_result(job.id, 6)
        assert (result.text, result.blocks, result.raw) == ("", (), b"")
        assert "blank" in result.warnings[0]
        assert blank.reason == result.warnings[0]
        text = system.store.blobs.read(job.artifacts["txt"]).decode()
        assert "Art of War" not in text
        assert "and so on" not in text


async def test_a_named_engine_stays_and_ends_with_what_is_true(running):
    async with running(**TWO, page_attempts=2) as system:
        await both_ready(system, "better", "text")
        data = scan_of("LOOP for ever", "CUT off", SEEN_EMPTY, "REFUSE it")
        job = await system.finished(await system.submit(data, engine="better"))
        loop, cut, empty, refused = system.store.pages(job.id)
        assert {task.engine for task in system.store.pages(job.id)} == {"better"}
        assert (loop.state, loop.mark) == (PageState.FAILED, "failed")
        assert "No answer could be accepted. better: The answer repeats itself" in loop.reason
        assert [a.rung for a in loop.history] == ["", "sampling", "prompt"]
        assert (cut.state, empty.state) == (PageState.DONE, PageState.DONE)
        assert "not whole" in cut.reason
        assert system.store.page_result(job.id, 2).warnings == (cut.reason,)
        assert system.store.page_result(job.id, 2).text.strip() == "better read CUT off"
        assert "not blank" in empty.reason
        assert refused.reason == "The page says REFUSE."
        assert [a.outcome for a in refused.history] == ["failed", "failed"]


@pytest.mark.timeout(150)
async def test_auto_mixes_engines_and_falls_back_when_the_better_one_is_gone(
    running, tmp_path, monkeypatch
):
    down = tmp_path / "down"
    monkeypatch.setenv("QUIRE_TEST_DOWN", str(down))
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.5")
    flags = {"engines": "better,pymupdf", "engine_classes": BETTER_ENGINE}
    async with running(**flags, fallback_seconds=1.5) as system:
        await both_ready(system, "better", "pymupdf")
        typed = [f"This is the sound text of page {n}." for n in (1, 2)]
        scanned = [f"This is the picture of page {n}." for n in range(3, 9)]
        data = join(pdf_of(*typed), scan_of(*scanned))
        job = await system.submit(data, engine="auto")
        job = await system.until(job, lambda now: now.counts.done >= 3)
        await system.until(job, lambda now: any(t.engine == "better" for t in done_of(system, now)))
        down.touch()
        system.kill("better")
        job = await system.finished(job, seconds=100)
        assert (job.state, job.counts.done) == (JobState.DONE, 8)
        tasks = system.store.pages(job.id)
        assert [task.page for task in tasks] == list(range(1, 9))
        for task in tasks[:2]:
            assert (task.engine, task.source, task.mark) == ("pymupdf", "text_layer", "done")
            assert "sound text layer" in task.choice
        engines = [task.engine for task in tasks[2:]]
        assert engines.count("better") >= 1
        moved = [task for task in tasks[2:] if task.engine == "pymupdf"]
        assert len(moved) >= 2
        for task in moved:
            assert (task.source, task.rung, task.mark) == ("ocr", "outage", "fallback")
            assert "better takes no such pages now" in task.choice
            assert [a.outcome for a in task.history][-1] == "outage"
        for result in system.store.results(job.id):
            said = " ".join(block.content for block in result.blocks)
            assert said.count(f"of page {result.page}.") == 1


def done_of(system, job):
    return [task for task in system.store.pages(job.id) if task.state is PageState.DONE]


async def test_a_named_engine_that_is_down_is_replaced_only_where_that_is_allowed(
    running, tmp_path: Path, monkeypatch
):
    down = tmp_path / "down"
    down.touch()
    monkeypatch.setenv("QUIRE_TEST_DOWN", str(down))
    async with running(**TWO, fallback_seconds=1.0, fallback="always") as system:
        await both_ready(system, "text")
        await system.table(lambda t: [w.state for w in t.of_engine("better")] == ["blocked"])
        auto = await system.finished(await system.submit(scan_of("by auto"), engine="auto"))
        [task] = system.store.pages(auto.id)
        assert (task.engine, task.rung, task.history) == ("text", "", ())
        named = await system.finished(await system.submit(scan_of("by name"), engine="better"))
        [task] = system.store.pages(named.id)
        assert (task.asked, task.engine, task.mark) == ("better", "text", "fallback")
        assert "better was asked for but takes no such pages now" in task.choice
        compared = await system.submit(scan_of("both"), engine="better,text")
        await system.until(compared, lambda now: now.counts.done == 1)
        table = await system.table(lambda t: t.queues["recognize.better"]["pages"] == 1)
        seen = table.time
        await system.table(lambda t: t.time > seen + 2.5)  # longer than a page may wait
        [waits, read] = system.store.pages(compared.id)
        assert (waits.engine, waits.state) == ("better", PageState.PENDING)
        assert read.engine == "text"


@pytest.mark.timeout(150)
async def test_kills_in_the_middle_of_the_ladder_lose_nothing_and_repeat_nothing(
    running, monkeypatch
):
    monkeypatch.setenv("QUIRE_TEST_NAP_SECONDS", "0.03")
    # a busy machine restarts an engine slowly: no page may leave it for that
    async with running(**TWO, fallback_seconds=120.0) as system:
        await both_ready(system, "better", "text")
        kinds = ("LOOP", "LOOPCOLD", "good", "CUT")
        texts = [f"{kinds[n % 4]} page {n} is here" for n in range(1, PAGES + 1)]
        job = await system.submit(scan_of(*texts), engine="auto")
        for number, name in enumerate(("collect", "broker", "split", "better", "collect")):
            await system.until(job, lambda now, n=number: now.counts.done >= 3 + 4 * n)
            system.kill(name)
        job = await system.finished(job, seconds=110)
        tasks = system.store.pages(job.id)
        assert (job.state, job.counts.done) == (JobState.DONE, PAGES)
        assert [task.page for task in tasks] == list(range(1, PAGES + 1))
        for task in tasks:
            refused = [a for a in task.history if a.outcome == "refused"]
            assert len(refused) == len({(a.engine, a.rung) for a in refused}) == task.turn
            kind = kinds[task.page % 4]
            wanted = {"LOOP": "text", "CUT": "text"}.get(kind, "better")
            assert task.engine == wanted, (task, kind)
            assert (len(refused), kind) in {
                (3, "LOOP"),
                (1, "LOOPCOLD"),
                (0, "good"),
                (3, "CUT"),
            }, task
        text = system.store.blobs.read(job.artifacts["txt"]).decode()
        assert all(text.count(f"page {n} is here") == 1 for n in range(1, PAGES + 1))
