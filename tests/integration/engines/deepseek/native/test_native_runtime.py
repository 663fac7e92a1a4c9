"""Whatever joins, leaves, is padded, paged or sent back: each page reads as by transformers."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engines.deepseek.checkpoint import find_checkpoint
from engines.deepseek.loading import LoadedModel, load_model
from engines.deepseek.native import scheduler
from engines.deepseek.native.decoder import Decoder
from engines.deepseek.native.native_runtime import NativeRuntime
from engines.deepseek.native.sizes import Sizes
from engines.deepseek.native.slots import SlotState
from engines.deepseek.runtime import LENGTH, LOOP, STOP, Generation
from engines.deepseek.transformers_runtime import TransformersRuntime
from shared.errors import OutsideFailed, PageFailed
from tests.fakes.gpu_errors import SHORTAGES, lose_context
from tests.fakes.native_pages import (
    NATIVE,
    StaggeredFeed,
    oracle,
    pages_of,
    request,
    run_native,
    shorter,
    sizes,
)
from tests.train.drawing import glyph_table
from tests.train.evaluate_tiny_ocr import read
from tests.train.glyphs import Painter
from tests.train.pages import make_page


@pytest.mark.parametrize("family", NATIVE)
def test_pages_that_join_and_leave_read_as_they_do_alone(
    models: dict[str, Path],
    loaded: dict[str, LoadedModel],
    expected: dict[str, dict[str, list[int]]],
    family: str,
) -> None:
    limits = [24, 3, 1, 17, 9, 24]
    pages = shorter(pages_of(family), limits)
    found, feed = run_native(models[family], pages, sizes())
    for page, limit in zip(pages, limits, strict=False):
        tokens = expected[family][page.key][:limit]
        ended = tokens[-1] in loaded[family].eos_ids
        assert found[page.key].text == loaded[family].decode(tokens[: len(tokens) - ended])
        assert found[page.key].tokens == len(tokens)
        assert found[page.key].finish_reason == (STOP if ended else LENGTH)
    assert len(set(feed.capacities)) > 1, "capacity follows what is free"


@pytest.mark.parametrize("slots", [1, 3, 7])
def test_padding_of_a_step_changes_nothing(
    models: dict[str, Path],
    loaded: dict[str, LoadedModel],
    expected: dict[str, dict[str, list[int]]],
    slots: int,
) -> None:
    pages = pages_of("deepseek-ocr")[:3]
    found, _ = run_native(models["deepseek-ocr"], pages, sizes(slots=slots), at_once=3)
    for page in pages:
        assert found[page.key].text == loaded["deepseek-ocr"].decode(
            expected["deepseek-ocr"][page.key]
        )


def test_tiles_and_the_end_of_sequence(models: dict[str, Path], tmp_path: Path) -> None:
    # A head that leans to the end of sequence, so that pages end by themselves at various lengths.
    loaded = load_model(find_checkpoint(str(models["deepseek-ocr"])), "cpu", "float32")
    (end,) = loaded.eos_ids
    with torch.no_grad():
        loaded.model.lm_head.weight[end] *= 6
    pages = [request("deepseek-ocr", f"p{seed}", seed, max_tokens=60) for seed in range(3)]
    tiled = request("deepseek-ocr", "tiled", 1, tiles=True, view=640, max_tokens=4)
    wide = replace(tiled, pixels=bytes(range(256)) * 3 * 700, width=700, height=256)
    answers = {page.key: oracle(loaded, page)[0] for page in (*pages, wide)}
    runtime = NativeRuntime(
        "", device="cpu", dtype="float32", sizes=replace(sizes(120), max_tokens=900)
    )
    runtime.adopt(loaded)
    for outcome in runtime.run(StaggeredFeed([*pages, wide], 4), lambda: None):
        assert isinstance(outcome, Generation)
        tokens = answers[outcome.key]
        ended = tokens[-1] == end
        assert outcome.text == loaded.decode(tokens[: len(tokens) - ended])
        assert outcome.finish_reason == (STOP if ended else LENGTH)
    assert any(tokens[-1] == end for tokens in answers.values())


def test_a_page_that_loops_ends_early(models: dict[str, Path]) -> None:
    page = request("deepseek-ocr", "p", 2, ngram=0, max_tokens=2000)
    room = Sizes(200, 2, 2300, 2, (1, 2), block_tokens=64)
    found, _ = run_native(models["deepseek-ocr"], [page], room)
    assert found["p"].finish_reason == LOOP, "greedy without a ban, on random weights"
    assert found["p"].tokens < 1500


def test_draws_differ_from_the_likeliest_and_stay_likely(
    models: dict[str, Path],
    expected: dict[str, dict[str, list[int]]],
    loaded: dict[str, LoadedModel],
) -> None:
    pages = [
        request("deepseek-ocr", "cold", 0, temperature=0.001),
        request("deepseek-ocr", "hot", 0, temperature=20.0, ngram=0),
    ]
    found, _ = run_native(models["deepseek-ocr"], pages, sizes())
    likeliest = loaded["deepseek-ocr"].decode(expected["deepseek-ocr"]["p0"])
    assert found["cold"].text == likeliest
    assert found["hot"].text != likeliest


def test_what_cannot_run_says_why(models: dict[str, Path]) -> None:
    sliding = NativeRuntime(
        str(models["unlimited-ocr"]), device="cpu", dtype="float32", sizes=sizes()
    )
    with pytest.raises(OutsideFailed, match="sliding window"):
        sliding.load()
    runtime = NativeRuntime(
        str(models["deepseek-ocr"]), device="cpu", dtype="float32", sizes=sizes()
    )
    with pytest.raises(OutsideFailed, match="not loaded"):
        next(iter(runtime.run(StaggeredFeed([], 1), lambda: None)))
    runtime.load()
    bad = [
        request("deepseek-ocr", "prompt", 0, prompt="no image"),
        replace(request("deepseek-ocr", "pixels", 0), pixels=b"123"),
        request("deepseek-ocr", "good", 0, max_tokens=2),
    ]
    outcomes = dict(
        (outcome.key, outcome) if isinstance(outcome, Generation) else outcome
        for outcome in runtime.run(StaggeredFeed(bad, 3), lambda: None)
    )
    assert isinstance(outcomes["good"], Generation)
    assert isinstance(outcomes["prompt"], PageFailed)
    assert isinstance(outcomes["pixels"], PageFailed)


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: str(error)[:40])
def test_memory_that_runs_out_is_met_by_reading_in_fewer_pages_at_once(
    models: dict[str, Path],
    loaded: dict[str, LoadedModel],
    expected: dict[str, dict[str, list[int]]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    read_in, seen = Decoder.read_in, []

    def cramped(self: Decoder, states: list[SlotState], embeddings: list[torch.Tensor]) -> None:
        seen.append(len(states))
        if len(states) > 1:
            raise error
        read_in(self, states, embeddings)

    monkeypatch.setattr(Decoder, "read_in", cramped)
    pages = pages_of("deepseek-ocr")
    found, _ = run_native(models["deepseek-ocr"], pages, sizes(chunk=4), at_once=4)
    assert max(seen) == 4
    for page in pages:
        tokens = expected["deepseek-ocr"][page.key]
        ended = tokens[-1] in loaded["deepseek-ocr"].eos_ids
        assert found[page.key].text == loaded["deepseek-ocr"].decode(tokens[: len(tokens) - ended])
    assert seen[-1] == 1


def test_a_gpu_that_fails_is_said_and_charged_to_nobody(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = NativeRuntime(
        str(models["deepseek-ocr"]), device="cpu", dtype="float32", sizes=sizes(chunk=1)
    )
    runtime.load()
    errors = [torch.OutOfMemoryError("full"), torch.AcceleratorError("illegal address")]
    pages = [request("deepseek-ocr", key, 0, max_tokens=2) for key in ("first", "later")]

    def fail(_: object) -> None:
        raise errors.pop(0)

    with monkeypatch.context() as patch:
        patch.setattr("engines.deepseek.native.runner.Runner.turn", fail)
        outcomes = list(runtime.run(StaggeredFeed(pages[:1], 1), lambda: None))
        assert [outcome[0] for outcome in outcomes if isinstance(outcome, tuple)] == ["first"]
        assert isinstance(outcomes[0][1], OutsideFailed)
    assert not runtime.trouble()
    answers = list(runtime.run(StaggeredFeed(pages[1:], 1), lambda: None))
    assert [answer.tokens for answer in answers if isinstance(answer, Generation)] == [2]
    monkeypatch.setattr("engines.deepseek.native.runner.Runner.turn", fail)
    with pytest.raises(OutsideFailed, match="illegal address") as lost:
        list(runtime.run(StaggeredFeed(pages[:1], 1), lambda: None))
    assert lost.value.code == "gpu_failed"
    assert "illegal address" in runtime.trouble()

    errors.append(torch.OutOfMemoryError("full"))  # a shortage that the context does not outlive
    lose_context(monkeypatch)
    with pytest.raises(OutsideFailed, match="unspecified launch failure") as lost:
        list(runtime.run(StaggeredFeed(pages[:1], 1), lambda: None))
    assert lost.value.code == "gpu_failed"


@pytest.mark.timeout(180)  # three readings of pages on the CPU of a busy machine
def test_a_trained_model_reads_the_same_pages_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it writes hangs on all that it has read: also where a page was sent back for room."""
    made_before: list[int] = []
    preempt = scheduler.Scheduler._preempt

    def noted(self: scheduler.Scheduler, growth: scheduler.Growth, page: scheduler.Page) -> bool:
        more = preempt(self, growth, page)
        made_before.append(growth.preempted[-1].made)
        return more

    monkeypatch.setattr(scheduler.Scheduler, "_preempt", noted)
    monkeypatch.setattr(scheduler, "GROWTH_SHARE", 0.0)  # let in whoever fits at this moment
    model = str(Path(__file__).resolve().parents[4] / "train" / "model")
    draw = random.Random(20_261_124)
    pages = [make_page(draw) for _ in range(3)]
    painter = Painter(glyph_table(), torch.device("cpu"))
    rooms = [Sizes(300, 3, 800, 3, (1, 2, 4), 4), Sizes(126, 3, 460, 3, (1, 2, 4), 4)]
    runtimes = [TransformersRuntime(model, device="cpu", batch=3)]
    runtimes += [NativeRuntime(model, device="cpu", dtype="float32", sizes=room) for room in rooms]
    said = []
    for runtime in runtimes:
        assert not made_before
        runtime.load()
        said.append(read(runtime, pages, painter, "grounded", 300))
        runtime.close()
    assert max(made_before) > 1, made_before
    for truth, *ours in zip(*said, strict=True):
        for page in ours:
            assert page.text == truth.text
            assert (page.tokens, page.finish_reason) == (truth.tokens, truth.finish_reason)
    assert [generation.finish_reason for generation in said[0]] == [STOP] * 3
    assert said[0][0].text.strip()
