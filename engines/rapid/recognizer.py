"""What the lines say: crops of similar width in batches through PP-OCRv6's recogniser."""

import math
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from engines.rapid.arrays import Floats, Integers, Pixels
from engines.rapid.line_image import LineImage
from engines.rapid.runtime import Runtime

Text = tuple[str, float]  # what it says, and the mean probability of its characters

HEIGHT = 48  # of the lines that the model was trained on, in pixels
# Widths are rounded up to these. OpenVINO compiles each shape anew (about 100 ms) and keeps it:
# few shapes keep both time and memory low, but padding costs as much as text: with the fewer,
# wider steps of before it was a fifth of all pixels. Lines over 85 times their height are squeezed.
BUCKETS: tuple[int, ...] = (
    *range(64, 640, 32),
    *range(640, 1280, 64),
    *range(1280, 2048, 128),
    *(2048, 2560, 3072, 4096),
)
# Width of a batch in pixels. Measured: CPU time a pixel is the same from 640 to 2560, and small
# batches are seldom half empty.
_BATCH_PIXELS = 640
_PADDING = 127  # the middle gray, which is zero to the model
# Work goes with the width of lines. Most are read as well at seven tenths of it, and the model
# knows which: a line of which it is less than sure is read again at nine tenths, which makes no
# more errors than the whole width. Nearly a fifth less work than nine tenths for all (SPEED.md).
QUICK, CAREFUL = 0.7, 0.9
_SURE = 0.95


def warm_up(runtime: Runtime) -> None:
    """Let the runtime compile every shape once, so that no page waits for it."""
    shapes = [(batch_size(width), HEIGHT, width, 3) for width in BUCKETS]
    blank = ((np.zeros(shape, dtype=np.uint8), None) for shape in shapes)
    runtime.recognize(blank, lambda *_: None)


def recognize_lines(
    lines: Sequence[LineImage], runtime: Runtime, progress: Callable[[], None]
) -> list[Text]:
    """The text of each line and its confidence, in the order of the lines."""
    texts: list[Text] = [("", 0.0)] * len(lines)
    _read(range(len(lines)), lines, texts, QUICK, runtime, progress)
    doubtful = [number for number, (_, confidence) in enumerate(texts) if confidence < _SURE]
    _read(doubtful, lines, texts, CAREFUL, runtime, progress)
    return texts


def _read(
    numbers: Sequence[int],
    lines: Sequence[LineImage],
    texts: list[Text],
    squeeze: float,
    runtime: Runtime,
    progress: Callable[[], None],
) -> None:
    """Put into `texts` what the lines of these numbers say."""

    def done(tag: list[int], indices: Integers, probabilities: Floats) -> None:
        for row, number in enumerate(tag):
            texts[number] = decode(indices[row], probabilities[row], runtime.characters)

    def filled() -> Iterator[tuple[Pixels, list[int]]]:
        for width, members in batches_of([width_of(lines[n].size, squeeze) for n in numbers]):
            progress()
            images = np.full((batch_size(width), HEIGHT, width, 3), _PADDING, dtype=np.uint8)
            chosen = [numbers[member] for member in members]
            for row, number in enumerate(chosen):
                images[row] = prepared(lines[number].pixels(), width, squeeze)
            yield images, chosen

    runtime.recognize(filled(), done)
    progress()


def batches_of(widths: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Batches as (width in pixels, numbers of the crops), the widest first.

    Each width has one batch size (`batch_size`), so there are as many shapes as widths.
    """
    order = sorted(range(len(widths)), key=lambda number: -widths[number])
    batches: list[tuple[int, list[int]]] = []
    for number in order:
        own = bucket_of(widths[number])
        if batches:
            width, members = batches[-1]
            room = len(members) < batch_size(width)
            # A half-empty batch costs as much as a full one: let it take narrower lines too.
            if room and own >= width / 2:
                members.append(number)
                continue
        batches.append((own, [number]))
    return batches


def bucket_of(width: int) -> int:
    """The least bucket that holds a width in pixels; the widest for all that is beyond."""
    return next((bucket for bucket in BUCKETS if bucket >= width), BUCKETS[-1])


def batch_size(width: int) -> int:
    """How many lines of a bucket's width go through the model at once."""
    return max(1, _BATCH_PIXELS // width)


def decode(indices: Integers, probabilities: Floats, characters: Sequence[str]) -> Text:
    """Connectionist temporal classification: drop repeats, then blanks (index 0)."""
    keep = np.ones(len(indices), dtype=bool)
    keep[1:] = indices[1:] != indices[:-1]
    keep &= indices != 0
    if not keep.any():
        return "", 0.0
    text = "".join(characters[index] for index in indices[keep] if index < len(characters))
    return text, float(probabilities[keep].mean())


def width_of(size: tuple[int, int], squeeze: float) -> int:
    """How wide the model gets a line of (height, width) pixels, whose height becomes `HEIGHT`."""
    height, width = size
    return math.ceil(HEIGHT * width / max(1, height) * squeeze)


def prepared(crop: Pixels, width: int, squeeze: float) -> Pixels:
    """The crop as the model takes it, `HEIGHT` x `width` x 3, what is left padded in gray."""
    image = np.full((HEIGHT, width, 3), _PADDING, dtype=np.uint8)
    inner = max(1, min(width, width_of((crop.shape[0], crop.shape[1]), squeeze)))
    image[:, :inner] = cv2.resize(crop, (inner, HEIGHT))
    return image
