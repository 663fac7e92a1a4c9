"""Processes that stand still are found, killed and started again; slow ones are let be."""

import pytest

from shared.states import JobState, PageState

FLAGS = {
    "engine_classes": "text=tests.fakes.hanging_engine:HangingEngine",
    "hang_seconds": 5.0,
    "silence_seconds": 1.5,
}


@pytest.mark.parametrize(("word", "found"), [("GILFREE", "no progress"), ("GILHELD", "silent")])
async def test_a_hang_is_killed_and_its_page_read_by_the_next_process(
    running, make_pdf, word, found
):
    async with running(**FLAGS) as system:
        job = await system.submit(make_pdf("before", word, "after"))
        job = await system.finished(job)
        states = {task.page: task for task in system.store.pages(job.id)}
        assert job.state is JobState.DONE
        assert all(task.state is PageState.DONE for task in states.values())
        assert (states[1].crashes, states[2].crashes, states[3].crashes) == (0, 1, 0)
        assert any("killing text" in line and found in line for line in system.log)
