"""Pillow's bicubic resize in whole numbers, on any torch device.

The coefficients are Pillow's (src/libImaging/Resample.c): a filter as wide as the reduction, in
22-bit fixed point, one pass across and one down, with rounding to bytes in between. Because of that
rounding the order of the two matters, by a few levels; it is that of the Pillow that is installed.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

PRECISION_BITS = 22  # 32 bits, less 8 for the pixel and 2 for the sum of coefficients
_SUPPORT = 2.0  # the bicubic filter reaches two pixels to each side
_A = -0.5
_PILLOW = int(PIL.__version__.split(".", maxsplit=1)[0])


def resize(pixels: Any, width: int, height: int) -> Any:
    """A uint8 tensor (rows, columns, 3) as one of `height` x `width`, on the same device."""
    before = (pixels.shape[1], pixels.shape[0])
    for axis in (1, 0) if across_first(before, (width, height)) else (0, 1):
        size = width if axis else height
        if pixels.shape[axis] != size:
            pixels = _pass(pixels, axis, size)
    return pixels


def across_first(before: tuple[int, int], after: tuple[int, int], pillow: int = _PILLOW) -> bool:
    """Whether Pillow scales from `before` to `after`, (width, height), across and then down.

    Pillow 13 begins with the height where it loses more than twice as many pixels as the width
    does (Resample.c), Pillow 12.3 only where pages are a hundred times as high as wide (Image.py).
    """
    fewer_columns, fewer_rows = before[0] - after[0], before[1] - after[1]
    if pillow < 13:
        return fewer_rows <= 0 or before[1] <= before[0] * 100
    return fewer_rows <= 0 or fewer_rows <= 2 * fewer_columns


def _pass(pixels: Any, axis: int, size: int) -> Any:
    import torch  # noqa: PLC0415 - heavy, and optional

    first, weights = coefficients(pixels.shape[axis], size)
    starts = torch.from_numpy(first).to(pixels.device)
    taps = torch.from_numpy(weights).to(pixels.device)
    last = pixels.shape[axis] - 1
    shape = [1, 1, 1]
    shape[axis] = size
    total: Any = 1 << (PRECISION_BITS - 1)  # half, to round
    for tap in range(weights.shape[0]):
        source = pixels.index_select(axis, (starts + tap).clamp_(max=last))
        total = total + source.to(torch.int32) * taps[tap].view(shape)
    return (total >> PRECISION_BITS).clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=64)
def coefficients(before: int, after: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Per output pixel the first input pixel (n,), and per tap and output pixel its weight."""
    scale = before / after
    stretch = max(scale, 1.0)
    support = _SUPPORT * stretch
    taps = math.ceil(support) * 2 + 1
    centers = (np.arange(after) + 0.5) * scale
    first = np.maximum((centers - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centers + support + 0.5).astype(np.int64), before)
    places = np.arange(taps)[:, None]
    distances = np.abs((places + first - centers + 0.5) * (1.0 / stretch))
    weights = np.where(places < end - first, _bicubic(distances), 0.0)
    total = np.zeros(after)
    for row in weights:  # in Pillow's order: sums of floating-point numbers depend on it
        total += row
    weights = weights / total
    fixed = np.trunc(weights * (1 << PRECISION_BITS) + np.where(weights < 0, -0.5, 0.5))
    used = int((end - first).max())
    return first, np.ascontiguousarray(fixed[:used].astype(np.int32))


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    near = ((_A + 2.0) * x - (_A + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _A
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))
