"""Tiny random models, one of each family, made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engines.deepseek.checkpoint import find_checkpoint
from engines.deepseek.loading import LoadedModel, load_model
from tests.fakes.deepseek_models import make_model

FAMILIES = ("deepseek-ocr", "deepseek-ocr-2", "unlimited-ocr")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("deepseek")
    return {family: make_model(root / family, family) for family in FAMILIES}


@pytest.fixture(scope="session")
def loaded(models: dict[str, Path]) -> dict[str, LoadedModel]:
    return {
        family: load_model(find_checkpoint(str(path)), "cpu", "float32")
        for family, path in models.items()
    }


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small tensors: more threads than cores that are free would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
