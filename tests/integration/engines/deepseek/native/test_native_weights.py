"""Weights as they come from a checkpoint, for kernels that multiply numbers of one kind."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from engines.deepseek.checkpoint import find_checkpoint
from engines.deepseek.loading import load_model
from engines.deepseek.native.weights import Experts, take_text_weights
from tests.fakes.native_pages import NATIVE


@pytest.mark.parametrize("family", NATIVE)
def test_what_transformers_widens_as_it_loads_has_the_models_precision(
    models: dict[str, Path], family: str
) -> None:
    loaded = load_model(find_checkpoint(str(models[family])), "cpu", "bfloat16")
    routers = [m.weight for name, m in loaded.model.named_modules() if name.endswith("mlp.gate")]
    weights = take_text_weights(loaded.model, 64)
    experts = [layer.mlp for layer in weights.layers if isinstance(layer.mlp, Experts)]
    assert len(experts) == len(routers) > 0
    for layer in weights.layers:
        for part in (layer, layer.mlp):
            tensors = [getattr(part, field.name) for field in fields(part)]
            kinds = {value.dtype for value in tensors if isinstance(value, torch.Tensor)}
            assert kinds == {torch.bfloat16}
    # nothing is lost: the file has them in that precision
    for mine, theirs in zip(experts, routers, strict=True):
        assert torch.equal(mine.router.float(), theirs.to(torch.bfloat16).float())
