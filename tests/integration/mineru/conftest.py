"""Systems whose MinerU engine runs in the interpreter that deploy/engine.sh makes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.mineru_weights import make_weights
from tests.fakes.systems import ROOT, run_system
from tests.fakes.vlm_server import VlmStub


@pytest.fixture
def running(
    monkeypatch: pytest.MonkeyPatch, mineru_python: Path, tmp_path: Path
) -> Callable[..., Any]:
    """Starts a system with MinerU: `async with running(setting=value) as system`.

    It has no weights unless `mineru_models` names them.
    """
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(**flags: Any) -> Any:
        defaults = {
            "engines": "mineru",
            "engine_pythons": f"mineru={mineru_python}",
            "mineru_models": str(tmp_path / "no-weights"),
        }
        return run_system(**(defaults | flags))

    return run


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with what flash needs for scans."""
    return make_weights(tmp_path / "weights")


@pytest.fixture
def vlm() -> Iterator[VlmStub]:
    """A VLM server that can be made to misbehave."""
    stub = VlmStub()
    yield stub
    stub.close()
