"""Two ways with a kernel: to run it, or only to have it compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any

# From a kernel and its grid what takes the kernel's arguments.
Launch = Callable[[Any, tuple[int, ...]], Callable[..., object]]


def run(kernel: Any, grid: tuple[int, ...]) -> Callable[..., object]:
    """Queue it on the current stream."""
    queue: Callable[..., object] = kernel[grid]
    return queue


def compile_only(kernel: Any, grid: tuple[int, ...]) -> Callable[..., object]:
    """Compile it for such arguments; nothing is computed."""
    return partial(kernel.warmup, grid=grid)
