"""The models on OpenVINO, in the fastest numbers that the CPU has and that read as well."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engines.rapid.arrays import Floats, Pixels
from engines.rapid.models import ModelFiles, characters_of
from engines.rapid.quantize import cpu_multiplies_integers, quantize, ranges_of
from shared.errors import OutsideFailed

_STREAMS = 2  # measured on 2 cores: a second stream hides the gaps between layers
_MOST_ROWS = 16  # 18,710 classes are 10 x 1,871
# Compiled layers that OpenVINO keeps: a hundred for each of the recogniser's widths. With fewer,
# layers are compiled again at every change of width: a third of bf16's time, half of int8's.
_LAYERS_KEPT = 5000
# The detector sees a new shape with nearly each scan; some shapes come again in one document.
_DETECTOR_LAYERS_KEPT = 800


class OpenVinoRuntime:
    """OpenVINO on the CPU.

    `auto` takes 8-bit integers where the CPU has VNNI and the model's ranges are known, else bf16
    where it has that (AVX512-BF16 or AMX), else f32. Integers are for the recogniser's heavy layers
    alone: the detector gained no time from them and found the lines of curled pages less well.
    """

    name = "openvino"

    def __init__(self, files: ModelFiles, precision: str, threads: int) -> None:
        """OutsideFailed (`precision_missing`): the CPU or the model has not what was asked for."""
        import openvino as ov  # noqa: PLC0415 - heavy, and absent on some machines

        core = ov.Core()
        self.threads = threads
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        ranges = ranges_of(files.recognizer)
        has_int8 = cpu_multiplies_integers() and ranges is not None
        self.precision = _choose(precision, has_bf16=has_bf16, has_int8=has_int8)
        rest = "bf16" if has_bf16 and self.precision != "f32" else "f32"
        streams = min(_STREAMS, threads)
        common = {
            "INFERENCE_PRECISION_HINT": rest,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # several engine processes would pin to the same cores
        }
        detector = read_network(core, files.detector)
        recognizer = read_network(core, files.recognizer)
        listed = recognizer.get_rt_info(["framework", "character"]).astype(str)
        self.characters = characters_of(listed)
        if self.precision == "int8" and ranges is not None:
            quantize(recognizer, ranges)
        one = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        kept = {"CPU_RUNTIME_CACHE_CAPACITY": _DETECTOR_LAYERS_KEPT}
        self._detector = core.compile_model(
            detector, "CPU", {**common, **one, **kept}
        ).create_infer_request()
        reduced, self._columns = _best_in_graph(recognizer)
        many = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": streams}
        kept = {"CPU_RUNTIME_CACHE_CAPACITY": _LAYERS_KEPT}
        compiled = core.compile_model(reduced, "CPU", {**common, **many, **kept})
        self._queue = ov.AsyncInferQueue(compiled, streams)

    def detect(self, image: Pixels) -> Floats:
        """Probability of text per pixel, H x W."""
        result = self._detector.infer({0: image})
        return np.array(next(iter(result.values()))[0, 0], dtype=np.float32)

    def recognize(self, batches: Iterator[tuple[Pixels, Any]], done: Callable[..., None]) -> None:
        """Run the batches on all streams; `done` comes from OpenVINO's threads."""
        columns = self._columns

        def finished(request: Any, tag: Any) -> None:
            total, row, column = (request.get_output_tensor(n).data[..., 0] for n in range(3))
            done(tag, row.astype(np.int64) * columns + column, (1.0 / total).astype(np.float32))

        self._queue.set_callback(finished)
        for images, tag in batches:
            self._queue.start_async({0: images}, tag)
        self._queue.wait_all()


def read_network(core: Any, model: Path) -> Any:
    """The network of a model file, its input changed to RGB of 8 bits, N x H x W x 3."""
    import openvino as ov  # noqa: PLC0415 - heavy, and absent on some machines
    from openvino.preprocess import ColorFormat, PrePostProcessor  # noqa: PLC0415

    steps = PrePostProcessor(core.read_model(model))
    given = steps.input()
    given.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    given.tensor().set_color_format(ColorFormat.RGB)
    given.model().set_layout(ov.Layout("NCHW"))
    # The models were trained on BGR, scaled to -1..1.
    given.preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.BGR)
    given.preprocess().mean(127.5).scale(127.5)
    return steps.build()


def _choose(asked: str, *, has_bf16: bool, has_int8: bool) -> str:
    has = {"int8": has_int8, "bf16": has_bf16, "f32": True}
    if asked == "auto":
        return next(precision for precision, there in has.items() if there)
    if not has[asked]:
        raise OutsideFailed(
            f"This CPU, or the installed models, have no {asked}: set ocr_precision to auto or "
            "f32.",
            code="precision_missing",
        )
    return asked


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
