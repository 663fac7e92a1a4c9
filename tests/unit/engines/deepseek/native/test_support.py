"""What is missing for the native runtime, each by its sentence."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest
import torch

from engines.deepseek.native import support


def _machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    missing: str = "",
    cuda: bool = True,
    capability: tuple[int, int] = (9, 0),
) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name == missing else importlib.util.find_spec("json")

    monkeypatch.setattr(support, "find_spec", find)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ({}, ""),
        ({"missing": "torch"}, "torch is not installed"),
        ({"cuda": False}, "there is no CUDA GPU"),
        ({"missing": "triton"}, "Triton is not installed (pip install triton)"),
        ({"capability": (7, 5)}, "compute capability 7.5"),
        ({"capability": (8, 0)}, ""),
    ],
)
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, machine: dict[str, object], said: str
) -> None:
    _machine(monkeypatch, **machine)
    reason = support.why_not_here()
    assert said in reason
    assert bool(reason) == bool(said)


@pytest.mark.parametrize(
    ("cuda", "capability", "said"),
    [(True, (8, 9), ""), (True, (8, 6), "no float8"), (False, (8, 6), "")],
)
def test_float8_needs_a_gpu_that_has_it(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, capability: tuple[int, int], said: str
) -> None:
    _machine(monkeypatch, cuda=cuda, capability=capability)
    assert bool(support.why_not_float8()) == bool(said)
    assert said in support.why_not_float8()
