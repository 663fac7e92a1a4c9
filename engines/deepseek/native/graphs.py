"""Steps as CUDA graphs, one for each batch size; or plain calls where there are none."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engines.deepseek.native.sizes import Sizes
from engines.deepseek.native.slots import Slots

_WARM_UPS = 2  # before a capture: kernels are compiled, libraries take their workspaces


class Steps:
    """Runs steps over a set of rows. On a GPU a step is some 160 kernels of a few microseconds:
    launched one by one they would take longer than they run, so each batch size is recorded once
    and replayed. Rows are padded with the slot that is never active.
    """

    def __init__(
        self, step: Callable[[Tensor], Tensor], slots: Slots, sizes: Sizes, device: torch.device
    ) -> None:
        self._step, self._slots, self._sizes = step, slots, sizes
        self._rows = torch.full(
            (sizes.graphs[-1],), slots.padding, dtype=torch.int32, device=device
        )
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._is_cuda = device.type == "cuda"
        self._current: list[int] = []
        self._size = sizes.graphs[0]

    def capture(self) -> None:
        """Record all sizes, the largest first: the others share its memory. All rows are padding
        meanwhile, so that nothing of any page changes.
        """
        if not self._is_cuda:
            return
        pool = torch.cuda.graph_pool_handle()
        stream = torch.cuda.Stream()
        for size in reversed(self._sizes.graphs):
            rows = self._rows[:size]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    self._step(rows)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                self._step(rows)
            self._graphs[size] = graph

    def try_out(self) -> None:
        """One step of each size without recording, all rows padding."""
        for size in self._sizes.graphs:
            self._step(self._rows[:size])

    def set_rows(self, slots: Sequence[int]) -> None:
        """Which slots the next steps are for."""
        if list(slots) == self._current:
            return
        self._current = list(slots)
        self._size = self._sizes.graph_for(len(slots))
        padded = [*slots, *[self._slots.padding] * (self._size - len(slots))]
        self._rows[: self._size].copy_(self._slots.upload(padded))

    def run(self, count: int) -> None:
        """Queue so many steps."""
        for _ in range(count):
            if self._is_cuda:
                self._graphs[self._size].replay()
            else:
                self._step(self._rows[: self._size])
