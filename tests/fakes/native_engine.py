"""The engine with its native runtime on a CPU, plain operations in place of kernels."""

from pathlib import Path
from typing import Any

import torch

from engines.deepseek.backend import DeepSeekEngine
from engines.deepseek.native.native_runtime import NativeRuntime
from engines.deepseek.native.runner import Runner
from engines.deepseek.native.sizes import Sizes
from shared.settings import Settings


class NativeEngine(DeepSeekEngine):
    """Reads two pages at once."""

    name = "native"

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        super().__init__(settings, gpu)
        self._mark = Path(settings.data) / "gpu-has-failed"

    def load(self) -> None:
        if self._runtime is None:
            torch.set_num_threads(1)
            room = Sizes(300, 2, 1200, 2, (1, 2), 8)
            runtime = NativeRuntime(
                self._settings.deepseek_model, device="cpu", dtype="float32", sizes=room
            )
            runtime.load()
            self._runtime = runtime


class FailingGpuEngine(NativeEngine):
    """Its GPU fails once, in the first process, when a page has ended and others run."""

    name = "failing"

    def load(self) -> None:
        super().load()
        if self._mark.exists():
            return
        turn, ended = Runner.turn, False

        def fail(runner: Runner) -> list[Any]:
            nonlocal ended
            if ended and not runner.idle:
                self._mark.touch()
                raise torch.AcceleratorError("CUDA error: an illegal memory access")
            texts = turn(runner)
            ended = ended or bool(texts)
            return texts

        Runner.turn = fail
