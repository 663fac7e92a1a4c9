"""The transformers runtime: batches say what single pages say, and what `generate` says."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.deepseek import decoding, transformers_runtime
from engines.deepseek.loading import LoadedModel
from engines.deepseek.prompt import prepare
from engines.deepseek.runtime import LENGTH, LOOP, STOP, Generation, Request
from engines.deepseek.transformers_runtime import TransformersRuntime
from shared.errors import OutsideFailed, PageFailed
from tests.fakes.deepseek_models import EOS
from tests.fakes.gpu_errors import FULL, SHORTAGES, lose_context
from tests.fakes.request_feeds import RequestBatch

FAMILIES = ("deepseek-ocr", "deepseek-ocr-2", "unlimited-ocr")
PROMPT = "<image>\n<|grounding|>Convert the document to markdown."


def _requests(**changes: object) -> list[Request]:
    """Pages of several sizes, with and without tiles."""
    noise = np.random.default_rng(7)
    sizes = [(300, 200), (200, 260), (800, 600), (90, 120)]
    values = {"prompt": PROMPT, "view": 256, "max_tokens": 8, "ngram": 0, **changes}
    return [
        Request(f"p{i}", noise.integers(0, 256, (h, w, 3), np.uint8).tobytes(), w, h, **values)
        for i, (w, h) in enumerate(sizes)
    ]


def _runtime(model: Path, **changes: object) -> TransformersRuntime:
    runtime = TransformersRuntime(str(model), device="cpu", **changes)
    runtime.load()
    return runtime


def _texts(runtime: TransformersRuntime, requests: list[Request]) -> dict[str, str]:
    steps: list[None] = []
    found = list(runtime.run(RequestBatch(requests), lambda: steps.append(None)))
    assert all(isinstance(outcome, Generation) for outcome in found), found
    assert steps
    return {outcome.key: outcome.text for outcome in found}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_says_what_generate_says_of_each_page(
    models: dict[str, Path], loaded: dict[str, LoadedModel], family: str
) -> None:
    requests = _requests()
    together = _texts(_runtime(models[family], batch=4), requests)
    model = loaded[family]
    for request in requests:
        page = prepare(request, model)
        extra = {}
        if model.checkpoint.family.newline_tokens:
            extra["patches_grid"] = [[page.plan.columns, page.plan.rows]]
        ids = torch.tensor([page.ids])
        made = model.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=page.views.view[None],
            pixel_values_local=page.views.tiles,
            num_local_patches=[page.plan.tiles],
            max_new_tokens=8,
            do_sample=False,
            pad_token_id=EOS,
            **extra,
        )[0, len(page.ids) :].tolist()
        expected = model.decode(made[:-1] if made[-1] == EOS else made)
        assert together[request.key] == expected


def test_the_ngram_ban_is_generates(
    models: dict[str, Path], loaded: dict[str, LoadedModel]
) -> None:
    request = _requests(max_tokens=40, ngram=3, ngram_window=10_000, view=64)[0]
    text = _texts(_runtime(models["deepseek-ocr-2"]), [request])[request.key]
    model = loaded["deepseek-ocr-2"]
    page = prepare(request, model)
    ids = torch.tensor([page.ids])
    made = model.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=page.views.view[None],
        num_local_patches=[0],
        max_new_tokens=40,
        do_sample=False,
        no_repeat_ngram_size=3,
        pad_token_id=EOS,
    )[0, len(page.ids) :].tolist()
    assert text == model.decode([token for token in made if token != EOS])


class _Narrow:
    """Fails like a GPU without memory when more than so many pages are read at once."""

    def __init__(self, runtime: TransformersRuntime, most: int, error: Exception = FULL) -> None:
        self.seen: list[int] = []
        self._most, self._error = most, error
        runtime.loaded.model.register_forward_pre_hook(self._look, with_kwargs=True)

    def _look(self, _module: object, _args: object, kwargs: dict[str, torch.Tensor]) -> None:
        given = kwargs.get("input_ids")
        rows = len(kwargs["inputs_embeds"] if given is None else given)
        self.seen.append(rows)
        # the second token of each page, so that it happens in the middle of the work
        if rows > self._most and given is not None:
            raise self._error


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: str(error)[:40])
def test_memory_that_runs_out_is_met_by_a_smaller_batch(
    models: dict[str, Path], error: Exception
) -> None:
    requests = _requests(tiles=False, view=128)
    expected = _texts(_runtime(models["deepseek-ocr-2"], batch=1), requests)
    runtime = _runtime(models["deepseek-ocr-2"], batch=4)
    narrow = _Narrow(runtime, most=1, error=error)
    feed = RequestBatch(requests)
    found = {o.key: o.text for o in runtime.run(feed, lambda: None)}
    assert found == expected
    assert feed.capacities == [4, 2, 1]
    assert runtime.details()["batch"] == 1
    assert max(narrow.seen) == 4


def test_memory_that_is_really_used_up_is_met_by_a_smaller_batch(models: dict[str, Path]) -> None:
    pages = 24  # their views alone take more than the 70 MiB that are left
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fakes.cramped_child",
            str(models["deepseek-ocr-2"]),
            str(pages),
            "70",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["together"] == found["alone"]
    assert len(found["together"]) == pages
    first, *smaller = found["capacities"]
    assert first == pages
    assert smaller
    assert smaller == sorted(smaller, reverse=True)


@pytest.mark.parametrize("where", ["vision", "views"])
def test_memory_may_run_out_anywhere(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    requests = _requests(tiles=False, view=128)
    expected = _texts(_runtime(models["deepseek-ocr-2"], batch=1), requests)
    runtime = _runtime(models["deepseek-ocr-2"], batch=4)
    full = iter([True, True, *[False] * 99])

    def wrapped(does: Callable[..., object]) -> Callable[..., object]:
        def does_or_fails(*args: object, **kwargs: object) -> object:
            if next(full):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return does(*args, **kwargs)

        return does_or_fails

    if where == "views":
        monkeypatch.setattr(transformers_runtime, "prepare", wrapped(prepare))
    else:
        model = runtime.loaded.model
        monkeypatch.setattr(model, "get_image_features", wrapped(model.get_image_features))
    feed = RequestBatch(requests)
    found = {o.key: o.text for o in runtime.run(feed, lambda: None)}
    assert found == expected
    assert feed.capacities == [4, 2, 1]


def test_other_errors_are_not_taken_for_a_lack_of_memory(models: dict[str, Path]) -> None:
    runtime = _runtime(models["deepseek-ocr-2"], batch=2)

    def fail(*_: object) -> None:
        raise RuntimeError("shapes do not match")

    runtime.loaded.model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="shapes"):
        list(runtime.run(RequestBatch(_requests(view=128)[:1]), lambda: None))


def test_a_gpu_that_fails_is_charged_to_no_page(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = _runtime(models["deepseek-ocr-2"], batch=2)
    _Narrow(runtime, most=1, error=torch.AcceleratorError("CUDA error: illegal address"))
    with pytest.raises(OutsideFailed, match="illegal address") as lost:
        list(runtime.run(RequestBatch(_requests(view=128)[:2]), lambda: None))
    assert lost.value.code == "gpu_failed"  # the process starts anew
    assert "illegal address" in runtime.trouble()

    # a shortage that the context does not outlive
    runtime = _runtime(models["deepseek-ocr-2"], batch=2)
    _Narrow(runtime, most=1)
    lose_context(monkeypatch)
    with pytest.raises(OutsideFailed, match="unspecified launch failure") as lost:
        list(runtime.run(RequestBatch(_requests(view=128)[:2]), lambda: None))
    assert lost.value.code == "gpu_failed"


def test_a_page_without_memory_fails_from_outside(models: dict[str, Path]) -> None:
    runtime = _runtime(models["deepseek-ocr-2"], batch=2)
    _Narrow(runtime, most=0)
    found = list(runtime.run(RequestBatch(_requests(view=128)[:2]), lambda: None))
    assert [key for key, _ in found] == ["p0", "p1"]
    for _, error in found:
        assert isinstance(error, OutsideFailed)
        assert "smaller view" in str(error)


def test_a_page_that_cannot_be_prompted_does_not_stop_the_others(models: dict[str, Path]) -> None:
    good, bad = _requests()[:2]
    bad = Request(bad.key, bad.pixels[:-1], bad.width, bad.height, PROMPT)
    found = list(_runtime(models["deepseek-ocr-2"]).run(RequestBatch([bad, good]), lambda: None))
    assert isinstance(found[0][1], PageFailed)
    assert found[1].key == good.key


class _Pinned:
    """Makes the model say these tokens, whatever it sees."""

    def __init__(self, runtime: TransformersRuntime, tokens: list[int]) -> None:
        self._tokens = iter(tokens)
        runtime.loaded.model.register_forward_hook(self._say)

    def _say(self, _module: object, _args: object, out: object) -> None:
        out.logits[:, -1, next(self._tokens)] = 1e9


def test_how_a_page_ended_is_said(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_LOOP_TOKENS", 24)
    monkeypatch.setattr(decoding, "_LOOP_EVERY", 8)
    monkeypatch.setattr(decoding, "_LOOP_PERIOD", 4)

    def run(tokens: list[int], most: int) -> Generation:
        runtime = _runtime(models["deepseek-ocr-2"])
        _Pinned(runtime, tokens)
        request = _requests(max_tokens=most, view=64, tiles=False)[0]
        return next(iter(runtime.run(RequestBatch([request]), lambda: None)))

    stopped = run([20, 21, 22, EOS], 50)
    assert (stopped.finish_reason, stopped.tokens) == (STOP, 4)
    assert len(stopped.text) == 3  # the end itself is no text
    assert run([20] * 9, 9).finish_reason == LENGTH
    looping = run([30, 31, *[20, 21, 22] * 20], 60)
    assert (looping.finish_reason, looping.tokens) == (LOOP, 32)
    # a longer run than the period looked for is no loop
    assert run([20, 21, 22, 23, 24] * 9, 45).finish_reason == LENGTH


def test_a_temperature_draws(models: dict[str, Path]) -> None:
    runtime = _runtime(models["deepseek-ocr-2"])
    cold = _texts(runtime, _requests(view=64)[:1])
    torch.manual_seed(1)
    warm = _texts(runtime, _requests(view=64, temperature=5.0)[:1])
    assert cold != warm
