"""The first vision encoder, SAM's ViT-B with a neck that shrinks 4 x 4 patches into one."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engines.deepseek.native.operations_torch import Operations


class Sam:
    """Runs the weights of transformers' SAM encoder, images of one size at a time.

    Windowed layers work on the image where it is: nothing is cut out, padded or put back. Position
    embeddings and tables are resized once for each size of image.
    """

    def __init__(self, encoder: Any, operations: Operations) -> None:
        self._encoder, self._ops = encoder, operations
        self._tables: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._positions: dict[int, Tensor] = {}
        for part in (encoder.neck, encoder.proj):
            part.to(memory_format=torch.channels_last)  # what cuDNN's tensor-core kernels take

    def __call__(self, pixels: Tensor) -> Tensor:
        """[B, 3, S, S], normalised, to [B, C, S/64, S/64]."""
        encoder, ops = self._encoder, self._ops
        x = self._patches(pixels)
        grid = x.shape[1]
        if grid not in self._positions:
            self._positions[grid] = encoder.interpolate_pos_encoding(grid, grid)
        x += self._positions[grid]
        delta: Tensor | None = None
        for index, layer in enumerate(encoder.layers):
            attention = layer.attn
            hidden = ops.add_layer_norm(x, delta, layer.layer_norm1)
            qkv = attention.qkv(hidden)
            tables = self._tables_of(index, attention, layer.window_size or grid)
            attended = ops.sam_attention(
                qkv, tables, attention.qkv.bias, attention.num_attention_heads, layer.window_size
            )
            delta = attention.proj(attended)
            hidden = ops.add_layer_norm(x, delta, layer.layer_norm2)
            delta = layer.mlp.lin2(functional.gelu(layer.mlp.lin1(hidden)))
        shrunk: Tensor = encoder.proj(encoder.neck(x if delta is None else x + delta))
        return shrunk

    def _patches(self, pixels: Tensor) -> Tensor:
        """[B, 3, S, S] to [B, G, G, C]. The convolution moves by its own size: it is a product."""
        projection = self._encoder.patch_embed.projection
        images, side = pixels.shape[0], projection.kernel_size[0]
        grid = pixels.shape[2] // side
        cut = pixels.view(images, 3, grid, side, grid, side).permute(0, 2, 4, 1, 3, 5)
        flat = cut.reshape(images, grid, grid, -1)
        return functional.linear(flat, projection.weight.flatten(1), projection.bias)

    def _tables_of(self, index: int, attention: Any, size: int) -> tuple[Tensor, Tensor]:
        """Relative positions of rows and of columns, [2 * size - 1, D] each."""
        key = (index, size)
        if key not in self._tables:
            rows, columns = attention.rel_pos_h, attention.rel_pos_w
            self._tables[key] = (_resized(rows, 2 * size - 1), _resized(columns, 2 * size - 1))
        return self._tables[key]


def _resized(table: Tensor, length: int) -> Tensor:
    if table.shape[0] != length:
        table = functional.interpolate(table.T[None], size=length, mode="linear")[0].T
    return table.detach().contiguous()
