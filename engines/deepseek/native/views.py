"""The views of pages, made on the GPU from bytes that cross the bus once."""

from functools import lru_cache

import numpy as np
import torch
import triton
from torch import Tensor

from engines.deepseek.image_plan import ImagePlan
from engines.deepseek.native.kernels import views as kernels
from engines.deepseek.pixels import Views, levels_of
from engines.deepseek.resampling import PRECISION_BITS, coefficients

_BLOCK = 512  # pixels' bytes of one program: three cache lines to read for each tap


def make_views_on_gpu(
    pixels: bytes | memoryview, plan: ImagePlan, device: torch.device, dtype: torch.dtype
) -> Views:
    """What `engines.deepseek.pixels.make_views` makes, to the bit, in six launches and one copy.

    `pixels` are `plan.width` x `plan.height` RGB8.
    """
    source = _upload(pixels, device).view(plan.height, plan.width, 3)
    levels = levels_of(device, dtype)
    left, top = plan.offset
    view = _place(_resized(source, *plan.scaled), levels, plan.view, (1, 1), (top, left))
    tiles = None
    if plan.tiles:
        whole = _resized(source, plan.columns * plan.tile, plan.rows * plan.tile)
        tiles = _place(whole, levels, plan.tile, (plan.rows, plan.columns), (0, 0))
    return Views(view[0], tiles)


def _upload(pixels: bytes | memoryview, device: torch.device) -> Tensor:
    """To the device by pinned memory, so that the copy waits for nothing that is queued there."""
    host = torch.empty(len(pixels), dtype=torch.uint8, pin_memory=device.type == "cuda")
    host.numpy()[:] = np.frombuffer(pixels, np.uint8)
    return host.to(device, non_blocking=True)


def _resized(source: Tensor, width: int, height: int) -> Tensor:
    if source.shape[1] != width:
        source = _pass(source, width, across=True)
    if source.shape[0] != height:
        source = _pass(source, height, across=False)
    return source


def _pass(source: Tensor, size: int, *, across: bool) -> Tensor:
    rows, columns, _ = source.shape
    before = columns if across else rows
    first, weights = _taps(before, size, source.device)
    shape = (rows, size, 3) if across else (size, columns, 3)
    out = torch.empty(shape, dtype=torch.uint8, device=source.device)
    grid = (shape[0], triton.cdiv(shape[1] * 3, _BLOCK))
    kernels.resize[grid](
        source, first, weights, out, size, before - 1, columns, weights.shape[0], across,
        PRECISION_BITS, _BLOCK, num_warps=4,
    )  # fmt: skip
    return out


@lru_cache(maxsize=256)
def _taps(before: int, after: int, device: torch.device) -> tuple[Tensor, Tensor]:
    first, weights = coefficients(before, after)
    return torch.from_numpy(first.astype(np.int32)).to(device), torch.from_numpy(weights).to(device)


def _place(
    source: Tensor,
    levels: Tensor,
    side: int,
    grid: tuple[int, int],
    offset: tuple[int, int],
) -> Tensor:
    rows, columns, _ = source.shape
    tiles = grid[0] * grid[1]
    out = torch.empty(tiles, 3, side, side, dtype=levels.dtype, device=source.device)
    kernels.place[(side, tiles)](
        source, levels, out, rows, columns, *offset, side, grid[1],
        triton.next_power_of_2(side), num_warps=4,
    )  # fmt: skip
    return out
