"""Where the native runtime cannot be, transformers has the model, and health says why."""

from pathlib import Path

import numpy as np
import pytest

from engines.deepseek import backend
from engines.deepseek.backend import DeepSeekEngine
from engines.deepseek.choosing import NATIVE, make_runtime
from engines.deepseek.native import support
from engines.deepseek.native.native_runtime import NativeRuntime
from engines.deepseek.runtime import Runtime
from shared.blocks import PageOutput
from shared.errors import OutsideFailed
from shared.ocr_backend import RGB, PageBatch, PageInput
from shared.settings import Settings, load_settings
from tests.fakes.native_pages import sizes

OPTIONS = {"view": "512", "max_tokens": 4, "prompt": "free"}


def _page() -> PageInput:
    pixels = np.full((100, 200, 3), 255, np.uint8).tobytes()
    return PageInput("p", RGB, pixels, width=200, height=100, dpi=72.0, options=OPTIONS)


def _settings(model: Path, **flags: object) -> Settings:
    return load_settings({"deepseek_model": str(model), **flags}, environ={})


def _reads(engine: DeepSeekEngine) -> bool:
    return isinstance(dict(engine.recognize(PageBatch([_page()]), lambda: None))["p"], PageOutput)


@pytest.mark.parametrize(
    "reason", ["there is no CUDA GPU", "Triton is not installed (pip install triton)"]
)
def test_without_triton_or_cuda_transformers_has_the_model_and_health_says_why(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(support, "why_not_here", lambda: reason)
    engine = DeepSeekEngine(_settings(models["deepseek-ocr"]), None)
    engine.load()
    health = engine.health()
    assert (health.status, health.details["runtime"]) == ("healthy", "transformers")
    assert health.message == f"Runs through transformers, not natively: {reason}."
    assert _reads(engine)
    engine.close()


@pytest.fixture
def native_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The native runtime as on a GPU, with its plain operations."""

    def make(name: str, settings: Settings) -> Runtime:
        if name != NATIVE:
            return make_runtime(name, settings)
        room = sizes(blocks=120)
        return NativeRuntime(settings.deepseek_model, device="cpu", dtype="float32", sizes=room)

    monkeypatch.setattr(support, "why_not_here", lambda: "")
    monkeypatch.setattr(backend, "make_runtime", make)


@pytest.mark.usefixtures("native_on_cpu")
@pytest.mark.parametrize(
    ("family", "runtime", "said"),
    [("deepseek-ocr", "native", ""), ("unlimited-ocr", "transformers", "sliding window")],
)
def test_a_model_that_does_not_run_natively_goes_through_transformers(
    models: dict[str, Path], family: str, runtime: str, said: str
) -> None:
    engine = DeepSeekEngine(_settings(models[family]), None)
    engine.load()
    health = engine.health()
    assert (health.status, health.details["runtime"]) == ("healthy", runtime)
    assert said in health.message
    assert bool(said) == bool(health.message)
    assert _reads(engine)
    engine.close()


@pytest.mark.usefixtures("native_on_cpu")
def test_who_asks_for_the_native_runtime_gets_that_or_an_error(models: dict[str, Path]) -> None:
    engine = DeepSeekEngine(_settings(models["unlimited-ocr"], deepseek_runtime="native"), None)
    with pytest.raises(OutsideFailed, match="sliding window"):
        engine.load()
    health = engine.health()
    assert (health.status, health.model_loaded) == ("unhealthy", False)
    assert "sliding window" in health.message
