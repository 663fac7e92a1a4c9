"""Layers in 8-bit integers: which, with which ranges, and how close the answers stay."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from engines.rapid.models import find_models
from engines.rapid.quantize import (
    cpu_multiplies_integers,
    layers_of,
    quantize,
    ranges_of,
    with_zero,
)


def test_the_installed_recogniser_was_calibrated():
    recognizer = find_models().recognizer
    ranges = ranges_of(recognizer)
    assert ranges is not None, "run: python -m engines.rapid.calibrate"
    layers = layers_of(ov.Core().read_model(recognizer))
    assert set(ranges) <= set(layers)
    assert len(ranges) >= 30


def test_an_unknown_model_has_no_ranges(tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(b"another model")
    assert ranges_of(other) is None


@pytest.mark.parametrize("flag", ["avx512_vnni", "avx_vnni"])
def test_vnni_is_found_in_the_list_of_flags(tmp_path, flag):
    listing = tmp_path / "cpuinfo"
    listing.write_text(f"flags : fpu avx2 {flag} sse\n", encoding="ascii")
    assert cpu_multiplies_integers(listing)
    listing.write_text("flags : fpu avx2 avx512f sse\n", encoding="ascii")
    assert not cpu_multiplies_integers(listing)
    assert not cpu_multiplies_integers(tmp_path / "missing")


@pytest.mark.parametrize(
    ("low", "high"), [(-0.17, 6.2), (0.0, 9.0), (-3.0, 3.1), (0.5, 2.0), (-4.0, -1.0), (0.0, 0.0)]
)
def test_zero_is_a_level_of_every_range(low, high):
    below, above = with_zero(low, high)
    step = (above - below) / 255
    assert step > 0
    assert below / step == pytest.approx(round(below / step), abs=1e-6)
    assert below <= 0 <= above
    assert above - below >= high - low - 1e-9


def test_a_quantized_layer_answers_nearly_the_same():
    random = np.random.default_rng(3)
    image = ops.parameter([1, 32, 6, 40], np.float32)
    kernel = random.normal(0, 0.2, (64, 32, 1, 1)).astype(np.float32)
    product = ops.convolution(image, ops.constant(kernel), [1, 1], [0, 0], [0, 0], [1, 1])
    product.set_friendly_name("heavy")
    model = ov.Model([product], [image])
    given = random.uniform(-1, 2, (1, 32, 6, 40)).astype(np.float32)
    core = ov.Core()
    exact = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(given)[0]
    exact = np.array(exact)
    quantize(model, {"heavy": (-1.0, 2.0)})
    rounded = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(given)[0]
    error = np.abs(rounded - exact)
    assert error.max() > 0  # it is done in integers
    assert error.max() < 0.03 * np.abs(exact).max()
