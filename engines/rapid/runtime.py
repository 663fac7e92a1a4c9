"""Two ways to run the models: OpenVINO, and ONNX Runtime where OpenVINO is absent.

Both answer the same two questions: the detector's probability map for one image, and for a batch
of line images the best character and its probability at each step. What differs, stays here.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.rapid.models import ModelFiles
from shared.errors import OutsideFailed

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Decoded = tuple[Integers, Floats]  # indices and probabilities, both batch x steps

_STREAMS = 2  # measured on 2 cores: a second stream hides the gaps between layers
_MOST_ROWS = 16  # 18,710 classes are 10 x 1,871
_SHAPES_KEPT = 64  # compiled shapes that OpenVINO keeps; its default grows without a visible bound


class Runtime(Protocol):
    """Runs both models."""

    name: str
    precision: str
    threads: int
    characters: tuple[str, ...]

    def detect(self, image: Floats) -> Floats:
        """Probability of text per pixel, H x W, for an image of 1 x 3 x H x W."""

    def recognize(self, batches: Iterator[tuple[Floats, Any]], done: Callable[..., None]) -> None:
        """Call `done(tag, indices, probabilities)` for each (images N x 3 x 48 x W, tag)."""


def default_threads() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def open_runtime(files: ModelFiles, *, name: str, precision: str, threads: int) -> Runtime:
    """The runtime that the settings ask for.

    `name` is auto, openvino or onnxruntime; `precision` auto, bf16 or f32; `threads` 0 for all
    cores. OutsideFailed (`runtime_missing`, `precision_missing`) when it cannot be had.
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
        if precision == "bf16":
            raise OutsideFailed(
                "ONNX Runtime has no bf16 on CPUs: set ocr_precision to auto or f32.",
                code="precision_missing",
            )
        return OnnxRuntime(files, threads)
    return OpenVinoRuntime(files, precision, threads)


class OpenVinoRuntime:
    """OpenVINO on the CPU, in bf16 where the CPU has it (AVX512-BF16 or AMX)."""

    name = "openvino"

    def __init__(self, files: ModelFiles, precision: str, threads: int) -> None:
        """OutsideFailed (`precision_missing`): bf16 was asked for and the CPU has none."""
        import openvino as ov  # noqa: PLC0415 - heavy, and absent on some machines

        core = ov.Core()
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not has_bf16:
            raise OutsideFailed(
                "This CPU has no bf16: set ocr_precision to auto or f32.", code="precision_missing"
            )
        self.precision = "bf16" if has_bf16 and precision != "f32" else "f32"
        self.threads = threads
        streams = min(_STREAMS, threads)
        common = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # several engine processes would pin to the same cores
            "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES_KEPT,
        }
        detector = core.read_model(files.detector)
        compiled = core.compile_model(
            detector, "CPU", {**common, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        )
        self._detector = compiled.create_infer_request()
        recognizer = core.read_model(files.recognizer)
        self.characters = _characters(
            recognizer.get_rt_info(["framework", "character"]).astype(str)
        )
        reduced, self._columns = _best_in_graph(recognizer)
        self._recognizer = core.compile_model(
            reduced, "CPU", {**common, "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": streams}
        )
        self._queue = ov.AsyncInferQueue(self._recognizer, streams)

    def detect(self, image: Floats) -> Floats:
        """Probability of text per pixel, H x W."""
        result = self._detector.infer({0: image})
        return np.array(next(iter(result.values()))[0, 0], dtype=np.float32)

    def recognize(self, batches: Iterator[tuple[Floats, Any]], done: Callable[..., None]) -> None:
        """Run the batches on all streams; `done` comes from OpenVINO's threads."""
        columns = self._columns

        def finished(request: Any, tag: Any) -> None:
            total, row, column = (request.get_output_tensor(n).data[..., 0] for n in range(3))
            done(tag, row.astype(np.int64) * columns + column, (1.0 / total).astype(np.float32))

        self._queue.set_callback(finished)
        for images, tag in batches:
            self._queue.start_async({0: images}, tag)
        self._queue.wait_all()


class OnnxRuntime:
    """ONNX Runtime on the CPU, f32."""

    name = "onnxruntime"
    precision = "f32"

    def __init__(self, files: ModelFiles, threads: int) -> None:
        self.threads = threads
        self._detector = open_session(str(files.detector), threads)
        self._recognizer = open_session(str(files.recognizer), threads)
        metadata = self._recognizer.get_modelmeta().custom_metadata_map
        self.characters = _characters(metadata["character"])

    def detect(self, image: Floats) -> Floats:
        """Probability of text per pixel, H x W."""
        (result,) = self._detector.run(None, {"x": image})
        return np.asarray(result[0, 0], dtype=np.float32)

    def recognize(self, batches: Iterator[tuple[Floats, Any]], done: Callable[..., None]) -> None:
        """Run the batches one after the other."""
        for images, tag in batches:
            (scores,) = self._recognizer.run(None, {"x": images})
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


def _best_in_graph(recognizer: Any) -> tuple[Any, int]:
    """The recogniser with its softmax replaced, and the number of columns of its classes.

    Of 18,710 logits a step only the best is wanted. As rows x columns, the best of each column
    costs one pass over memory, and the slow exponentials and TopK see a tenth of the classes:
    8% of the whole model's time. Outputs are, per step: the sum of exponentials over the best
    one (its inverse is the probability; the winner's rivals in other columns count with the
    best of each column), and row and column of the best.
    """
    import openvino as ov  # noqa: PLC0415 - heavy, and absent on some machines
    from openvino import opset13 as ops  # noqa: PLC0415

    def axis(*numbers: int) -> Any:
        return ops.constant(np.array(numbers, dtype=np.int64))

    softmax = recognizer.outputs[0].get_node().input_value(0).get_node()
    logits = softmax.input_value(0) if softmax.get_type_name() == "Softmax" else softmax.output(0)
    classes = logits.get_partial_shape()[2].get_length()
    rows = next(count for count in range(_MOST_ROWS, 0, -1) if classes % count == 0)
    grid = ops.reshape(logits, axis(0, 0, rows, classes // rows), special_zero=True)
    columns = ops.reduce_max(grid, axis(2), keep_dims=False)
    best = ops.topk(columns, ops.constant(1), 2, "max", "none")
    others = ops.reduce_sum(ops.exp(ops.subtract(columns, best.output(0))), axis(2), keep_dims=True)
    place = ops.tile(ops.unsqueeze(best.output(1), axis(2)), axis(1, 1, rows, 1))
    column = ops.squeeze(ops.gather_elements(grid, place, 3), axis(3))
    row = ops.topk(column, ops.constant(1), 2, "max", "none")
    same = ops.reduce_sum(ops.exp(ops.subtract(column, best.output(0))), axis(2), keep_dims=True)
    # The best one is in both sums.
    total = ops.subtract(ops.add(others, same), ops.constant(np.float32(1)))
    outputs = [total.output(0), row.output(1), best.output(1)]
    return ov.Model(outputs, recognizer.get_parameters()), classes // rows


def _characters(listed: str) -> tuple[str, ...]:
    # Index 0 is CTC's blank; the space comes after the listed characters.
    return ("", *listed.splitlines(), " ")
