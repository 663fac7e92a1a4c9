"""The native runtime within the whole system: a GPU that fails, a page that goes round in circles.

With its plain operations on a CPU; what a GPU adds is measured in tests/bench/DEEPSEEK.md.
"""

import json
import random
from pathlib import Path

import pytest

from shared.states import JobState, PageState
from tests.fakes.deepseek_models import make_model
from tests.train.drawing import draw_pdf
from tests.train.pages import make_page

MODEL = Path(__file__).resolve().parents[2] / "train" / "model"
PAGES = 5


def _flags(name: str, kind: str, model: Path) -> dict[str, object]:
    return {
        "engines": name,
        "engine_classes": f"{name}=tests.fakes.native_engine:{kind}",
        "deepseek_model": str(model),
        "silence_seconds": 20.0,  # a busy machine keeps a process silent for longer than 3 s
    }


@pytest.mark.timeout(150)  # the model is loaded twice, on a busy machine
async def test_a_gpu_that_fails_costs_a_process_and_no_page(running, tmp_path):
    draw = random.Random(3)
    pages = [make_page(draw, 1) for _ in range(PAGES)]
    flags = _flags("failing", "FailingGpuEngine", MODEL) | {"data": tmp_path / "data"}
    async with running(**flags) as system:
        await system.table(
            lambda table: any(w.state == "ready" for w in table.of_engine("failing"))
        )
        first = system.pid("failing")
        options = {"prompt": "free", "max_tokens": 100}
        job = await system.submit(draw_pdf(pages), engine="failing", options=options)
        job = await system.finished(job, seconds=100)
        assert (tmp_path / "data" / "gpu-has-failed").exists()
        assert system.pid("failing") != first, "a fresh process"
        assert job.state is JobState.DONE
        tasks = system.store.pages(job.id)
        assert [(task.state, task.crashes) for task in tasks] == [(PageState.DONE, 0)] * PAGES
        lost = [attempt for task in tasks for attempt in task.history]
        assert lost
        assert {attempt.reason_type for attempt in lost} == {"gpu_failed"}
        for task, page in zip(tasks, pages, strict=True):
            said = json.loads(system.store.page_result(job.id, task.page).raw)["text"]
            assert said == page.free()


@pytest.mark.timeout(120)
async def test_a_page_that_goes_round_in_circles_is_stopped_and_goes_up_the_ladder(
    running, make_pdf, tmp_path
):
    model = make_model(tmp_path / "model", "deepseek-ocr")
    async with running(**_flags("native", "NativeEngine", model)) as system:
        # greedy and without a ban, random weights repeat themselves
        options = {"view": "512", "tiles": False, "max_tokens": 1000, "ngram": 0}
        job = await system.submit(make_pdf("a page"), engine="native", options=options)
        await system.finished(job, seconds=80)
        (task,) = system.store.pages(job.id)
        first, *later = task.history
        assert (first.rung, first.outcome, first.finding) == ("", "refused", "loop")
        assert first.reason == "The engine stopped because it repeated itself."
        assert later or task.rung
