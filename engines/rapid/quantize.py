"""A network's heavy layers in 8-bit integers, where the CPU multiplies those fastest (VNNI).

Weights are rounded per output channel, inputs to 256 levels of the range that `calibrate.py` saw
(Jacob et al., arXiv 1712.05877). OpenVINO turns such a graph into integer kernels. Ranges belong
to one model file: for any other there are none, and the model stays as it is.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Ranges = Mapping[str, tuple[float, float]]  # by layer: least and greatest input

RANGES = Path(__file__).with_name("ranges.json")
_INPUT_LEVELS = 256
_WEIGHT_LEVELS = 255  # symmetric, with a zero
_TINY = 1e-9  # for channels of zeros


def ranges_of(model: Path) -> Ranges | None:
    """The ranges of a model file by its sha256; None when it was never calibrated."""
    known = json.loads(RANGES.read_text(encoding="ascii"))
    found = known.get(hashlib.sha256(model.read_bytes()).hexdigest())
    return {name: (low, high) for name, (low, high) in found.items()} if found else None


def cpu_multiplies_integers(listing: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has VNNI. Without it integers are slower, and on AVX2 sums may overflow."""
    try:
        flags = listing.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


def layers_of(model: Any) -> dict[str, tuple[Any, Any]]:
    """Convolutions and products with constant weights: (node, weights H.. as an array) by name."""
    layers = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() not in {"Convolution", "MatMul"}:
            continue
        weights = node.input_value(1).get_node()
        while weights.get_type_name() == "Identity":
            weights = weights.input_value(0).get_node()
        if weights.get_type_name() == "Constant":
            layers[node.get_friendly_name()] = node, weights.get_data()
    return layers


def quantize(model: Any, ranges: Ranges) -> None:
    """Mark the layers named by `ranges` for integer kernels, in place."""
    from openvino import opset13 as ops  # noqa: PLC0415 - heavy, and absent on some machines

    def rounded(source: Any, low: Any, high: Any, levels: int) -> Any:
        low, high = (ops.constant(np.asarray(value, dtype=np.float32)) for value in (low, high))
        return ops.fake_quantize(source, low, high, low, high, levels).output(0)

    layers = layers_of(model)
    for name, (low, high) in ranges.items():
        node, weights = layers[name]
        values = weights.astype(np.float32)
        # A convolution's output channels come first, those of a product last.
        others = tuple(range(1, values.ndim)) if node.get_type_name() == "Convolution" else (0,)
        most = np.maximum(np.abs(values).max(axis=others, keepdims=True), _TINY)
        inputs = rounded(node.input_value(0), *with_zero(low, high), _INPUT_LEVELS)
        node.input(0).replace_source_output(inputs)
        kept = rounded(ops.constant(values), -most, most, _WEIGHT_LEVELS)
        node.input(1).replace_source_output(kept)
    model.validate_nodes_and_infer_types()


def with_zero(low: float, high: float) -> tuple[float, float]:
    """The range moved so that zero, which pads and clips, is one of its levels."""
    step = (max(high, 0.0) - min(low, 0.0) or 1.0) / (_INPUT_LEVELS - 1)
    below = round(-min(low, 0.0) / step)
    return -below * step, (_INPUT_LEVELS - 1 - below) * step
