"""The paged KV cache."""

import torch
from torch import Tensor

from engines.deepseek.native.sizes import Sizes


class KvCache:
    """Keys and values of all pages: for each layer two tensors [blocks+1, heads, block, head_dim].

    One head's keys of one block lie together, because that is what one program of the attention
    kernel reads. They start as zeros: what lies beyond a page's end is read and weighted with 0,
    and 0 times a stray NaN would be NaN. In float8 (e4m3, no scale) they take half the room and
    time; keys and values of these models are far below its largest number, 448.
    """

    def __init__(
        self, sizes: Sizes, layers: int, heads: int, head_dim: int, kv_type: torch.dtype
    ) -> None:
        self._shape = (sizes.blocks + 1, heads, sizes.block_tokens, head_dim)
        self._layers, self._type = layers, kv_type
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def allocate(self, device: torch.device) -> None:
        """Take the memory. torch.OutOfMemoryError: it is not there."""
        bits = torch.uint8 if self._type.itemsize == 1 else self._type  # no zeros of float8
        for _ in range(self._layers):
            for tensors in (self.keys, self.values):
                zeros = torch.zeros(self._shape, dtype=bits, device=device)
                tensors.append(zeros.view(self._type))
