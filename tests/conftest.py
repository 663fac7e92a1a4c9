"""Fixtures that every test folder shares."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("QUIRE_CORPUS", ROOT.parent / "shared" / "corpus"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents with truth; tests skip where it is absent."""
    if not (CORPUS / "dev" / "manifest.csv").is_file():
        pytest.skip("the corpus is not beside the project (../shared/corpus)")
    return CORPUS


@pytest.fixture(scope="session")
def mineru_python() -> Path:
    """The interpreter that has MinerU; without it tests skip at home and fail in CI."""
    python = ROOT / ".venv-mineru" / "bin" / "python"
    if not python.is_file():
        message = "MinerU is not installed: bash deploy/engine.sh mineru"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return python
