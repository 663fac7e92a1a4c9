"""The views of pages, made on the GPU, several pages at a time, from bytes that cross the bus once.

A page is resized twice, for the view of the whole and for its tiles. All resizes of all pages that
go across first are two launches, those that go down first two more; one cuts, pads and normalises.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import triton
from torch import Tensor

from engines.deepseek.image_plan import ImagePlan
from engines.deepseek.native.kernels import views as kernels
from engines.deepseek.native.launching import Launch, run
from engines.deepseek.pixels import Views, levels_of
from engines.deepseek.resampling import PRECISION_BITS, across_first, coefficients

Pixels = bytes | memoryview
_BLOCK = 512  # bytes of one program's result: three cache lines to read for each tap
_MOST_BYTES = 256 << 20  # of pixels at a time, unless one page has more: ten A4 pages at 300 dpi


class GpuViews:
    """Makes what `engines.deepseek.pixels.make_views` makes, to the bit, for many pages at once.

    Pixels are copied on a stream of their own, beside the steps that run.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype, *, launch: Launch = run) -> None:
        self._device, self._levels = device, levels_of(device, dtype)
        self._launch = launch
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, pixels: Sequence[Pixels], plans: Sequence[ImagePlan]) -> list[Views]:
        """`pixels` of each page are `plan.width` x `plan.height` RGB8."""
        views: list[Views] = []
        for group in _groups([len(page) for page in pixels]):
            views += self._make(pixels[group], plans[group])
        return views

    def _make(self, pixels: Sequence[Pixels], plans: Sequence[ImagePlan]) -> list[Views]:
        batch = _Batch()
        for plan in plans:
            batch.add(plan)
        source = self._upload(_joined(pixels, pinned=self._copies is not None))
        taps = self._upload(torch.from_numpy(np.concatenate(batch.taps)))
        images = self._upload(torch.tensor(batch.images, device="cpu"))
        middle = torch.empty(batch.middle_bytes, dtype=torch.uint8, device=self._device)
        resized = torch.empty(batch.resized_bytes, dtype=torch.uint8, device=self._device)
        out = torch.empty(batch.out, dtype=self._levels.dtype, device=self._device)
        for jobs, across, before, after in (
            (batch.first_across, True, source, middle),
            (batch.first_down, False, source, middle),
            (batch.then_down, False, middle, resized),
            (batch.then_across, True, middle, resized),
        ):
            if not jobs:
                continue
            blocks = triton.cdiv(3 * max(job[5] for job in jobs), _BLOCK)
            table = self._upload(torch.tensor(jobs, device="cpu"))
            self._launch(kernels.resize, (max(job[4] for job in jobs), blocks, len(jobs)))(
                before, taps, table, after, across, PRECISION_BITS, _BLOCK, num_warps=4
            )
        side = max(image[6] for image in batch.images)
        self._launch(kernels.place, (side, len(batch.images)))(
            resized, self._levels, images, out, triton.next_power_of_2(side), num_warps=4
        )
        return list(_cut(out, plans))

    def _upload(self, host: Tensor) -> Tensor:
        """To the device without waiting for what is queued there, and before it."""
        if self._copies is None:
            return host
        host = host if host.is_pinned() else host.pin_memory()
        with torch.cuda.stream(self._copies):
            there = host.to(self._device, non_blocking=True)
        current = torch.cuda.current_stream()
        current.wait_stream(self._copies)
        there.record_stream(current)  # its memory is the other stream's, and not free before
        return there


@dataclass(slots=True)
class _Batch:
    """The tables of kernels.views for some pages, and the sizes of what lies between."""

    taps: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = field(default_factory=list)
    first_across: list[list[int]] = field(default_factory=list)
    first_down: list[list[int]] = field(default_factory=list)
    then_down: list[list[int]] = field(default_factory=list)
    then_across: list[list[int]] = field(default_factory=list)
    images: list[list[int]] = field(default_factory=list)
    source_bytes: int = 0
    middle_bytes: int = 0
    resized_bytes: int = 0
    out: int = 0
    _known: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)
    _tap_count: int = 0

    def add(self, plan: ImagePlan) -> None:
        """Queue a page: its view, then its tiles."""
        left, top = plan.offset
        self._resize(plan, *plan.scaled)
        self._image(plan.scaled, -top, -left, plan.view)
        self.resized_bytes += 3 * plan.scaled[0] * plan.scaled[1]
        if plan.tiles:
            size = (plan.columns * plan.tile, plan.rows * plan.tile)
            self._resize(plan, *size)
            for tile in range(plan.tiles):
                row, column = divmod(tile, plan.columns)
                self._image(size, row * plan.tile, column * plan.tile, plan.tile)
            self.resized_bytes += 3 * size[0] * size[1]
        self.source_bytes += 3 * plan.width * plan.height

    def _resize(self, plan: ImagePlan, width: int, height: int) -> None:
        first = (self.source_bytes, self.middle_bytes)
        then = (self.middle_bytes, self.resized_bytes)
        if across_first((plan.width, plan.height), (width, height)):
            self.first_across.append(self._across(first, plan, width, plan.height))
            self.then_down.append(self._down(then, plan, height, width))
            self.middle_bytes += 3 * plan.height * width
        else:
            self.first_down.append(self._down(first, plan, height, plan.width))
            self.then_across.append(self._across(then, plan, width, height))
            self.middle_bytes += 3 * plan.width * height

    def _across(self, places: tuple[int, int], plan: ImagePlan, width: int, rows: int) -> list[int]:
        first, weights, count = self._taps(plan.width, width)
        return [*places, first, weights, rows, width, plan.width, plan.width - 1, count]

    def _down(
        self, places: tuple[int, int], plan: ImagePlan, height: int, columns: int
    ) -> list[int]:
        first, weights, count = self._taps(plan.height, height)
        return [*places, first, weights, height, columns, columns, plan.height - 1, count]

    def _image(self, size: tuple[int, int], top: int, left: int, side: int) -> None:
        """Of the last resized page of `size` (width, height)."""
        self.images.append([self.resized_bytes, self.out, size[1], size[0], top, left, side])
        self.out += 3 * side * side

    def _taps(self, before: int, after: int) -> tuple[int, int, int]:
        """Where they begin, first pixels and weights, and how many weights make a pixel."""
        if (before, after) not in self._known:
            first, weights = coefficients(before, after)
            start = self._tap_count
            self._known[before, after] = (start, start + len(first), len(weights))
            self.taps += [first.astype(np.int32), weights.ravel()]
            self._tap_count += len(first) + weights.size
        return self._known[before, after]


def _groups(sizes: Sequence[int]) -> Iterator[slice]:
    """Neighbours whose bytes together are no more than `_MOST_BYTES`, one page at least."""
    start, total = 0, 0
    for page, size in enumerate(sizes):
        if page > start and total + size > _MOST_BYTES:
            yield slice(start, page)
            start, total = page, 0
        total += size
    yield slice(start, len(sizes))


def _joined(pages: Sequence[Pixels], *, pinned: bool) -> Tensor:
    """All pixels in one piece, from which the device can copy by itself."""
    size = sum(map(len, pages))
    host = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=pinned)
    target, start = host.numpy(), 0
    for page in pages:
        target[start : start + len(page)] = np.frombuffer(page, np.uint8)
        start += len(page)
    return host


def _cut(out: Tensor, plans: Sequence[ImagePlan]) -> Iterator[Views]:
    """The images of each page, as `_Batch` queued them."""
    start = 0
    for plan in plans:
        parts: list[Tensor | None] = []
        for count, side in ((1, plan.view), (plan.tiles, plan.tile)):
            end = start + 3 * count * side * side
            parts.append(out[start:end].view(count, 3, side, side) if count else None)
            start = end
        view, tiles = parts
        assert view is not None
        yield Views(view[0], tiles)
