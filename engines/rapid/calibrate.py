"""Find the ranges for `quantize.py`: `python -m engines.rapid.calibrate` rewrites ranges.json.

To be run when RapidOCR ships other models. What the layers see is taken from pages that are drawn
here, in several scripts, fonts, colours and states of wear; nothing is read from outside.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pymupdf

from engines.rapid.arrays import Pixels
from engines.rapid.detector import detect_lines
from engines.rapid.line_image import LineImage
from engines.rapid.models import find_models
from engines.rapid.openvino_runtime import OpenVinoRuntime, read_network
from engines.rapid.quantize import RANGES, Ranges, layers_of
from engines.rapid.recognizer import CAREFUL, HEIGHT, bucket_of, prepared, width_of

_LEAST_SHARE = 0.002  # of all multiplications; smaller layers gain nothing
_LEAST_CHANNELS = 16  # the first layer sees pixels, whose few channels fill no vector
_LINES = 12  # of each page are read
_PAGE = (620, 400)  # points
_DPI = 150
_TEXTS = (
    "The quick brown fox jumps over the lazy dog, 0123456789 times; (see page 42) & more.",
    "INVOICE No. 2024-0815   TOTAL: $1,234.50   VAT 19%   due 31/12/2024",
    "Où naît l'été, çà et là: « garçon », Straße, señor, København, Łódź.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία 3.14159 x 10^-7 = {a[i] + b[j]} / 2;",
    "天地玄黄宇宙洪荒，日月盈昃辰宿列张。寒来暑往，秋收冬藏。",
    "いろはにほへと ちりぬるを わかよたれそ つねならむ",
    "def read(path: str) -> bytes: return open(path, 'rb').read()  # TODO",
)
_FONTS = ("helv", "tiro", "cour", "hebo", "tiit", "cjk")
_SIZES = (7.0, 9.0, 11.0, 14.0, 20.0)


def drawn_pages() -> Iterator[Pixels]:
    """Pages of text, H x W x 3 RGB, each in another font, size, colour and state."""
    random = np.random.default_rng(7)
    for number in range(len(_FONTS) * len(_SIZES)):
        name, size = _FONTS[number % len(_FONTS)], _SIZES[number % len(_SIZES)]
        ink, paper = random.uniform(0, 0.45, 3), random.uniform(0.6, 1.0, 3)
        if number % 7 == 0:
            ink, paper = paper, ink  # white on black
        with pymupdf.open() as document:
            page = document.new_page(width=_PAGE[0], height=_PAGE[1])
            page.draw_rect(page.rect, color=None, fill=tuple(map(float, paper)))
            writer = pymupdf.TextWriter(page.rect, color=tuple(map(float, ink)))
            font, y = pymupdf.Font(name), 2 * size
            while y < _PAGE[1] - size:
                text = _TEXTS[int(random.integers(len(_TEXTS)))]
                writer.append((20, y), text, font=font, fontsize=size)
                y += size * float(random.uniform(1.3, 2.2))
            writer.write_text(page)
            drawn = page.get_pixmap(dpi=_DPI, alpha=False)
            pixels = np.frombuffer(drawn.samples, np.uint8).reshape(drawn.height, drawn.width, 3)
        yield _worn(pixels, number, random)


def _worn(pixels: Pixels, number: int, random: np.random.Generator) -> Pixels:
    """As printed, blurred, noisy, or with the grain of a strong compression."""
    image = np.array(pixels)
    if number % 4 == 1:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.6, 1.6))))
    elif number % 4 == 2:
        noise = random.normal(0, float(random.uniform(5, 25)), image.shape)
        image = (image + noise).clip(0, 255).astype(np.uint8)
    elif number % 4 == 3:
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 25])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return np.asarray(image, dtype=np.uint8)


def find_ranges(model: Path, batches: Iterable[Any]) -> Ranges:
    """Least and greatest input of each heavy layer, over the batches as the model takes them."""
    import openvino as ov  # noqa: PLC0415 - heavy
    from openvino import opset13 as ops  # noqa: PLC0415

    core = ov.Core()
    network = read_network(core, model)
    layers = layers_of(network)
    ports = [port for node, _ in layers.values() for port in (node.input_value(0), node.output(0))]
    watched = ov.Model([ops.result(port) for port in ports], network.get_parameters())
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(watched, "CPU", exact).create_infer_request()
    seen: dict[str, tuple[float, float]] = {}
    work = dict.fromkeys(layers, 0)
    for batch in batches:
        request.infer({0: batch})
        for number, (name, (node, weights)) in enumerate(layers.items()):
            taken, made = (request.get_output_tensor(2 * number + n).data for n in (0, 1))
            low, high = seen.get(name, (0.0, 0.0))
            seen[name] = min(low, float(taken.min())), max(high, float(taken.max()))
            channels = weights.shape[0 if node.get_type_name() == "Convolution" else -1]
            work[name] += made.size * weights.size // channels
    heavy = _LEAST_SHARE * sum(work.values())
    return {
        name: (float(f"{low:.5g}"), float(f"{high:.5g}"))
        for name, (low, high) in seen.items()
        if work[name] >= heavy and layers[name][1].shape[1] >= _LEAST_CHANNELS
    }


def main() -> None:
    """Draw, look, write."""
    files = find_models()
    runtime = OpenVinoRuntime(files, "f32", 0)
    lines = []
    for page in drawn_pages():
        for box in detect_lines(page, runtime)[:_LINES]:
            line = LineImage(page, box)
            width = bucket_of(width_of(line.size, CAREFUL))
            lines.append(prepared(line.pixels(), width, CAREFUL).reshape(1, HEIGHT, width, 3))
    digest = hashlib.sha256(files.recognizer.read_bytes()).hexdigest()
    known = {digest: find_ranges(files.recognizer, lines)}
    RANGES.write_text(json.dumps(known, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
