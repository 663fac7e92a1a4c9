"""Systems whose MinerU engine runs in the interpreter that deploy/engine.sh makes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.mineru_weights import make_weights
from tests.fakes.systems import ROOT, run_system
from tests.fakes.vlm_server import VlmStub

PYTHON = ROOT / ".venv-mineru" / "bin" / "python"


@pytest.fixture(scope="session")
def mineru_python() -> Path:
    """The interpreter; without it tests skip at home and fail in CI."""
    if not PYTHON.is_file():
        message = "MinerU is not installed: bash deploy/engine.sh mineru"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return PYTHON


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
