"""Kernels are interpreted; what transformers reads is found out once."""

import os

# Read when a kernel is defined: before anything of this folder imports one.
os.environ.setdefault("TRITON_INTERPRET", "1")


import pytest

from engines.deepseek.loading import LoadedModel
from tests.fakes.native_pages import NATIVE, oracle, pages_of


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """For every test of this folder."""


@pytest.fixture(scope="session")
def expected(loaded: dict[str, LoadedModel]) -> dict[str, dict[str, list[int]]]:
    """Per family and page what transformers reads, once for all tests."""
    return {
        family: {page.key: oracle(loaded[family], page)[0] for page in pages_of(family)}
        for family in NATIVE
    }
