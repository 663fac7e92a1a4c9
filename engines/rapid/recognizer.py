"""What the lines say: crops of similar width in batches through PP-OCRv6's recogniser."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from engines.rapid.arrays import Floats, Integers, Pixels
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
_END_MARGIN = 0.2  # of a line's height; the detector's boxes end close behind a full stop
_PADDING = 127  # the middle gray, which is zero to the model
# Work goes with the width of lines. Most are read as well at seven tenths of it, and the model
# knows which: a line of which it is less than sure is read again at nine tenths, which makes no
# more errors than the whole width. A seventh less work than nine tenths for all (SPEED.md).
QUICK, CAREFUL = 0.7, 0.9
_SURE = 0.97
_TALL = 1.5  # crops taller than this times their width are text that runs down


def crop_line(image: Pixels, box: Floats) -> Pixels:
    """The pixels inside a box of four corners, straightened; text that runs down is turned.

    A little is added at both ends of the line: a letter cut at the edge is lost.
    """
    box = _lengthened(box)
    width = max(1, int(max(_distance(box[0], box[1]), _distance(box[2], box[3]))))
    height = max(1, int(max(_distance(box[0], box[3]), _distance(box[1], box[2]))))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    straighten = cv2.getPerspectiveTransform(box.astype(np.float32), target)
    crop = cv2.warpPerspective(
        image, straighten, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    if height >= _TALL * width:
        crop = np.rot90(crop)
    return np.asarray(crop, dtype=np.uint8)


def warm_up(runtime: Runtime) -> None:
    """Let the runtime compile every shape once, so that no page waits for it."""
    shapes = [(batch_size(width), HEIGHT, width, 3) for width in BUCKETS]
    blank = ((np.zeros(shape, dtype=np.uint8), None) for shape in shapes)
    runtime.recognize(blank, lambda *_: None)


def recognize_lines(
    crops: Sequence[Pixels], runtime: Runtime, progress: Callable[[], None]
) -> list[Text]:
    """The text of each crop (H x W x 3 RGB) and its confidence, in the order of the crops."""
    texts = _read(crops, QUICK, runtime, progress)
    doubtful = [number for number, (_, confidence) in enumerate(texts) if confidence < _SURE]
    again = _read([crops[number] for number in doubtful], CAREFUL, runtime, progress)
    for number, text in zip(doubtful, again, strict=True):
        texts[number] = text
    return texts


def _read(
    crops: Sequence[Pixels], squeeze: float, runtime: Runtime, progress: Callable[[], None]
) -> list[Text]:
    texts: list[Text] = [("", 0.0)] * len(crops)

    def done(tag: list[int], indices: Integers, probabilities: Floats) -> None:
        for row, number in enumerate(tag):
            texts[number] = decode(indices[row], probabilities[row], runtime.characters)

    def filled() -> Iterator[tuple[Pixels, Any]]:
        for width, members in batches_of([width_of(crop, squeeze) for crop in crops]):
            progress()
            images = np.full((batch_size(width), HEIGHT, width, 3), _PADDING, dtype=np.uint8)
            for row, number in enumerate(members):
                images[row] = prepared(crops[number], width, squeeze)
            yield images, members

    runtime.recognize(filled(), done)
    progress()
    return texts


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


def width_of(crop: Pixels, squeeze: float) -> int:
    """How wide the model gets a crop, in pixels, whose height becomes `HEIGHT`."""
    height, width = int(crop.shape[0]), int(crop.shape[1])
    return math.ceil(HEIGHT * width / max(1, height) * squeeze)


def prepared(crop: Pixels, width: int, squeeze: float) -> Pixels:
    """The crop as the model takes it, `HEIGHT` x `width` x 3, what is left padded in gray."""
    image = np.full((HEIGHT, width, 3), _PADDING, dtype=np.uint8)
    inner = max(1, min(width, width_of(crop, squeeze)))
    image[:, :inner] = cv2.resize(crop, (inner, HEIGHT))
    return image


def _lengthened(box: Floats) -> Floats:
    along, across = box[1] - box[0], box[3] - box[0]
    long, high = _distance(box[1], box[0]), _distance(box[3], box[0])
    if long >= high:
        more = along * (_END_MARGIN * high / max(long, 1.0))
        moved = np.stack([-more, more, more, -more])
    else:
        more = across * (_END_MARGIN * long / max(high, 1.0))
        moved = np.stack([-more, -more, more, more])
    return np.asarray(box + moved, dtype=np.float32)


def _distance(start: Floats, end: Floats) -> float:
    return float(np.linalg.norm(start - end))
