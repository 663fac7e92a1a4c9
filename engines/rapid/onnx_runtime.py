"""The models on ONNX Runtime, where OpenVINO is absent: f32 on the CPU."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from engines.rapid.arrays import Floats, Pixels
from engines.rapid.models import ModelFiles, characters_of


class OnnxRuntime:
    """ONNX Runtime on the CPU, f32."""

    name = "onnxruntime"
    precision = "f32"

    def __init__(self, files: ModelFiles, threads: int) -> None:
        self.threads = threads
        self._detector = open_session(str(files.detector), threads)
        self._recognizer = open_session(str(files.recognizer), threads)
        metadata = self._recognizer.get_modelmeta().custom_metadata_map
        self.characters = characters_of(metadata["character"])

    def detect(self, image: Pixels) -> Floats:
        """Probability of text per pixel, H x W."""
        (result,) = self._detector.run(None, {"x": _scaled(image)})
        return np.asarray(result[0, 0], dtype=np.float32)

    def recognize(self, batches: Iterator[tuple[Pixels, Any]], done: Callable[..., None]) -> None:
        """Run the batches one after the other."""
        for images, tag in batches:
            (scores,) = self._recognizer.run(None, {"x": _scaled(images)})
            indices = scores.argmax(axis=2)
            probabilities = np.take_along_axis(scores, indices[..., None], axis=2)[..., 0]
            done(tag, indices, probabilities)


def open_session(path: str, threads: int) -> Any:
    """An ONNX Runtime session that keeps to `threads` and gives memory back after each run."""
    import onnxruntime  # noqa: PLC0415 - heavy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena keeps the largest page for ever
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        path, sess_options=options, providers=["CPUExecutionProvider"]
    )


def _scaled(images: Pixels) -> Floats:
    # The models were trained on BGR, scaled to -1..1.
    scaled = images[..., ::-1].astype(np.float32) / 127.5 - 1.0
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
