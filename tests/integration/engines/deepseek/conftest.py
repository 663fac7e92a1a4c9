"""Tiny random models, one of each family, made once."""

from pathlib import Path

import pytest

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
