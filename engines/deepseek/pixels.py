"""A page's pixels as the tensors that the model sees, on the CPU or on the GPU."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.deepseek.image_plan import ImagePlan
from engines.deepseek.resampling import resize

_GREY = 127  # beside the page in its square; the model was trained with it


@dataclass(frozen=True, slots=True)
class Views:
    """`view` (3, side, side) and `tiles` (n, 3, side, side) or None, in the model's dtype."""

    view: Any
    tiles: Any | None


def make_views(pixels: bytes | memoryview, plan: ImagePlan, device: Any, dtype: Any) -> Views:
    """Scale, cut and normalise RGB8 rows on the torch device; the same numbers on each.

    ValueError when there are not `plan.width` x `plan.height` pixels.
    """
    if len(pixels) != plan.width * plan.height * 3:
        raise ValueError(
            f"{len(pixels)} bytes are no {plan.width} x {plan.height} pixels of 3 bytes."
        )
    source = np.frombuffer(pixels, np.uint8).reshape(plan.height, plan.width, 3)
    scaler = _Pillow(source) if device.type == "cpu" else _OnDevice(source, device)
    levels = levels_of(device, dtype)
    return Views(_view(scaler, plan, levels), _tiles(scaler, plan, levels))


class _Pillow:
    """Scales on the CPU, where Pillow's own loops are fastest."""

    def __init__(self, source: NDArray[np.uint8]) -> None:
        self._image = Image.fromarray(source)

    def scaled(self, width: int, height: int) -> Any:
        import torch  # noqa: PLC0415 - heavy, and optional

        scaled = self._image.resize((width, height), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(scaled))


class _OnDevice:
    """Scales on the GPU: the page crosses the bus once, as bytes."""

    def __init__(self, source: NDArray[np.uint8], device: Any) -> None:
        import torch  # noqa: PLC0415 - heavy, and optional

        host = torch.from_numpy(source if source.flags.writeable else source.copy())
        self._pixels = host.pin_memory().to(device, non_blocking=True)

    def scaled(self, width: int, height: int) -> Any:
        return resize(self._pixels, width, height)


def _view(scaler: _Pillow | _OnDevice, plan: ImagePlan, levels: Any) -> Any:
    import torch  # noqa: PLC0415 - heavy, and optional

    width, height = plan.scaled
    left, top = plan.offset
    scaled = scaler.scaled(width, height)
    square = torch.full((plan.view, plan.view, 3), _GREY, dtype=torch.uint8, device=scaled.device)
    square[top : top + height, left : left + width] = scaled
    return levels[square.int()].permute(2, 0, 1)


def _tiles(scaler: _Pillow | _OnDevice, plan: ImagePlan, levels: Any) -> Any | None:
    if not plan.tiles:
        return None
    side, columns, rows = plan.tile, plan.columns, plan.rows
    whole = scaler.scaled(columns * side, rows * side)
    cut = whole.view(rows, side, columns, side, 3).permute(0, 2, 4, 1, 3)
    return levels[cut.reshape(rows * columns, 3, side, side).int()]


@lru_cache(maxsize=4)
def levels_of(device: Any, dtype: Any) -> Any:
    """What each of the 256 levels becomes: scaled to 0..1, less the mean 0.5, over 0.5."""
    import torch  # noqa: PLC0415 - heavy, and optional

    scaled = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    normal = (scaled - np.float32(0.5)) / np.float32(0.5)
    return torch.from_numpy(normal).to(device, dtype)
