"""What a model launches before its first page was rehearsed with two layers of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engines.deepseek.checkpoint import find_checkpoint
from engines.deepseek.image_plan import plan_image
from engines.deepseek.loading import load_model
from engines.deepseek.native import native_runtime, rehearsal
from engines.deepseek.native.operations_triton import TritonOperations
from engines.deepseek.native.runner import Runner
from engines.deepseek.native.sizes import Sizes
from engines.deepseek.native.views import GpuViews
from engines.deepseek.native.vision import Vision
from engines.deepseek.native.weights import take_text_weights
from tests.fakes.native_pages import NATIVE

CPU = torch.device("cpu")
MODEL = Path(__file__).resolve().parents[4] / "train" / "model"


class Noted:
    """A launch that computes nothing: what decides which kernel is compiled is kept."""

    def __init__(self) -> None:
        self.kinds: set[tuple[object, ...]] = set()

    def __call__(self, kernel: object, grid: tuple[int, ...]) -> Callable[..., None]:
        del grid

        def note(*arguments: object, **options: object) -> None:
            kinds = [_kind(argument) for argument in arguments]
            self.kinds.add((kernel.fn.__name__, *kinds, *sorted(options.items())))

        return note


def _kind(argument: object) -> object:
    """As Triton tells arguments apart: tensors by dtype, numbers by whether they are 1 or 16n."""
    if isinstance(argument, torch.Tensor):
        return argument.dtype
    if isinstance(argument, int) and not isinstance(argument, bool):
        return (argument == 1, argument % 16 == 0)
    return argument


@pytest.mark.parametrize("float8", [False, True])
@pytest.mark.parametrize("name", [*NATIVE, "trained"])
def test_what_a_model_launches_was_rehearsed(
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    float8: bool,
) -> None:
    checkpoint = find_checkpoint(str(models.get(name, MODEL)))
    plan = plan_image(checkpoint.family, 80, 100, view=checkpoint.family.views[0], tiles=False)
    sizes = Sizes(40, 7, 512, 2, (1, 2, 4, 7), 16)
    rehearsed, launched = Noted(), Noted()
    monkeypatch.setattr(rehearsal, "compile_only", rehearsed)
    monkeypatch.setattr(rehearsal, "_two_layers", _kept(rehearsal._two_layers, layers := []))
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    stamp = rehearsal.stamp_of(checkpoint, sizes, (float8,))
    assert stamp != rehearsal.stamp_of(checkpoint, replace(sizes, slots=8), (float8,))
    assert stamp != rehearsal.stamp_of(checkpoint, sizes, (not float8,))
    assert stamp == rehearsal.stamp_of(checkpoint, replace(sizes, blocks=41), (float8,))
    rehearsal.Rehearsal(
        checkpoint, plan, sizes, CPU, torch.float32, float8=float8, stamp=stamp
    ).finish()
    assert layers == [2]
    assert stamp.exists(), "the next start need not rehearse"

    loaded = load_model(checkpoint, "cpu", "float32")
    operations = TritonOperations(float8=float8, launch=launched)
    runner = Runner(
        take_text_weights(loaded.model, sizes.max_tokens),
        Vision(loaded.model, operations, 6 * sizes.chunk_pages),
        GpuViews(CPU, torch.float32, launch=launched),
        sizes,
        operations,
        loaded.eos_ids,
        torch.float8_e4m3fn if float8 else torch.float32,
    )
    runner.warm_up(plan, record=False)
    assert len(launched.kinds) > 20
    assert launched.kinds <= rehearsed.kinds


def _kept(make: Callable[..., object], layers: list[int]) -> Callable[..., object]:
    def made(*arguments: object) -> object:
        model = make(*arguments)
        layers.append(len(model.model.language_model.layers))
        return model

    return made


@pytest.mark.parametrize(("gib", "before", "rehearses"), [(9, 0, 1), (4, 0, 0), (9, 1, 0)])
def test_it_is_rehearsed_once_and_only_where_the_weights_leave_room(
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    gib: int,
    before: int,
    rehearses: int,
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(native_runtime, "free_bytes", lambda _: gib << 30)
    monkeypatch.setattr(native_runtime, "_device_name", lambda _: "a GPU")
    begun: list[Path] = []
    monkeypatch.setattr(
        rehearsal, "Rehearsal", lambda *_, stamp, float8: begun.append(stamp) or float8
    )
    runtime = native_runtime.NativeRuntime(str(models["deepseek-ocr"]))
    checkpoint = find_checkpoint(str(models["deepseek-ocr"]))
    for _ in range(before):
        runtime._rehearse(checkpoint)
        begun.pop().touch()
    runtime._rehearse(checkpoint)
    assert len(begun) == rehearses
