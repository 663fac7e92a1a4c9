"""Two ways to run the models: OpenVINO, and ONNX Runtime where OpenVINO is absent.

Both answer the same two questions: the detector's probability map for one image, and for a batch
of line images the best character and its probability at each step. What differs, stays with each.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from engines.rapid.arrays import Floats, Pixels
from engines.rapid.models import ModelFiles
from engines.rapid.onnx_runtime import OnnxRuntime
from engines.rapid.openvino_runtime import OpenVinoRuntime
from shared.errors import OutsideFailed


class Runtime(Protocol):
    """Runs both models."""

    name: str
    precision: str
    threads: int
    characters: tuple[str, ...]

    def detect(self, image: Pixels) -> Floats:
        """Probability of text per pixel, H x W, for an image of 1 x H x W x 3."""

    def recognize(self, batches: Iterator[tuple[Pixels, Any]], done: Callable[..., None]) -> None:
        """Call `done(tag, indices, probabilities)` for each (images N x 48 x W x 3, tag)."""


def default_threads() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def open_runtime(files: ModelFiles, *, name: str, precision: str, threads: int) -> Runtime:
    """The runtime that the settings ask for.

    `name` is auto, openvino or onnxruntime; `precision` auto, int8, bf16 or f32; `threads` 0 for
    all cores. OutsideFailed (`runtime_missing`, `precision_missing`) when it cannot be had.
    """
    threads = threads or default_threads()
    installed = importlib.util.find_spec("openvino") is not None
    if name == "openvino" and not installed:
        raise OutsideFailed(
            "ocr_runtime is openvino, which is not installed: pip install openvino, or set "
            "ocr_runtime to auto.",
            code="runtime_missing",
        )
    if name == "onnxruntime" or not installed:
        if precision not in {"auto", "f32"}:
            raise OutsideFailed(
                f"ONNX Runtime runs no {precision} here: set ocr_precision to auto or f32.",
                code="precision_missing",
            )
        return OnnxRuntime(files, threads)
    return OpenVinoRuntime(files, precision, threads)
