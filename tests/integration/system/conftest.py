"""Systems of real processes, for the tests of this folder."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.fakes.systems import ROOT, System, pdf_of, run_system


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Starts a system: `async with running(setting=value) as system`."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return run_system


@pytest.fixture
async def system(running: Callable[..., Any]) -> AsyncIterator[System]:
    """A system with the quick test engine."""
    async with running() as started:
        yield started


@pytest.fixture
def make_pdf() -> Callable[..., bytes]:
    """Makes a PDF of texts, one a page."""
    return pdf_of
