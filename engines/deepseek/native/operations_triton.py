"""The operations of the runtime as Triton kernels; `operations_torch` says what each does."""

from dataclasses import dataclass

import torch
import triton
from torch import Tensor, nn

from engines.deepseek.native.kernels import attention, experts, norms, sam, tokens
from engines.deepseek.native.launching import Launch, run
from engines.deepseek.native.slots import Slots
from engines.deepseek.native.weights import Experts

_BUSY_PROGRAMS = 2112  # of attention: 16 for each multiprocessor of an H200, so that none idles


@dataclass(frozen=True, slots=True)
class Tiles:
    """The shape of a grouped product: rows, columns and depth of a program, warps, stages."""

    rows: int
    cols: int
    depth: int
    warps: int
    stages: int


def tiles_for(tokens_per_expert: float) -> tuple[Tiles, Tiles]:
    """Tiles of the products up and down, as they were fastest on an H200.

    Few rows: reading the weights is all. Many: arithmetic.
    """
    if tokens_per_expert <= 8:
        return Tiles(16, 64, 128, 4, 4), Tiles(16, 64, 128, 4, 4)
    if tokens_per_expert <= 60:
        return Tiles(64, 64, 64, 4, 4), Tiles(64, 64, 64, 4, 4)
    if tokens_per_expert <= 200:
        return Tiles(128, 64, 64, 8, 3), Tiles(128, 64, 64, 8, 3)
    return Tiles(128, 128, 64, 8, 3), Tiles(128, 128, 64, 8, 3)


class TritonOperations:
    """The kernels' launches.

    For a cache in `float8` attention goes by the matrix units, else by sums over lanes; how many
    `splits` of a page's blocks and `warps` a program has follows, unless they are given.
    """

    def __init__(
        self,
        *,
        float8: bool = False,
        products: bool | None = None,
        splits: int = 0,
        warps: int = 0,
        stages: int = 0,
        launch: Launch = run,
    ) -> None:
        self._launch = launch
        self._products = float8 if products is None else products
        self._splits, self._stages = splits, stages or (6 if float8 else 3)
        self._warps = warps or (2 if self._products else 4)

    def add_rms_norm(self, x: Tensor, delta: Tensor | None, weight: Tensor, eps: float) -> Tensor:
        """`x` [..., C] += `delta`, [..., C] or [T, n, C]; then the RMS norm."""
        channels = x.shape[-1]
        out = torch.empty_like(x)
        parts = 0 if delta is None else delta.numel() // x.numel()
        self._launch(norms.add_rms_norm, (x.numel() // channels,))(
            x, x if delta is None else delta, weight, out, channels, eps, parts,
            triton.next_power_of_2(channels), num_warps=4,
        )  # fmt: skip
        return out

    def add_layer_norm(self, x: Tensor, delta: Tensor | None, norm: nn.LayerNorm) -> Tensor:
        """`x` [..., C] += `delta`; then the layer norm."""
        channels = x.shape[-1]
        out = torch.empty_like(x)
        self._launch(norms.add_layer_norm, (x.numel() // channels,))(
            x, x if delta is None else delta, norm.weight, norm.bias, out, channels, norm.eps,
            delta is not None, triton.next_power_of_2(channels), num_warps=4,
        )  # fmt: skip
        return out

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        """[..., 2I] to [..., I]."""
        width = gate_up.shape[-1] // 2
        out = gate_up.new_empty(*gate_up.shape[:-1], width)
        block = min(1024, triton.next_power_of_2(width))
        grid = (out.numel() // width, triton.cdiv(width, block))
        self._launch(norms.silu_mul, grid)(gate_up, out, width, block)
        return out

    def experts(self, x: Tensor, weights: Experts) -> Tensor:
        """[T, C] to [T, n, C]."""
        count, channels = x.shape
        total, per_token = int(weights.gate_up.shape[0]), weights.per_token
        width, places = int(weights.down.shape[2]), count * per_token
        expert = torch.empty(places, device=x.device, dtype=torch.int32)
        rank, order = torch.empty_like(expert), torch.empty_like(expert)
        share = torch.empty(places, device=x.device, dtype=torch.float32)
        counts = torch.zeros(total, device=x.device, dtype=torch.int32)
        self._launch(experts.route, (triton.cdiv(count, 16),))(
            x, weights.router, expert, share, rank, counts, count, weights.scale,
            channels, weights.routed, max(16, triton.next_power_of_2(weights.routed)),
            weights.top_k, per_token - weights.top_k, 16, _depth(channels, 128), num_warps=4,
        )  # fmt: skip
        block = triton.next_power_of_2(total)
        self._launch(experts.sort_places, (triton.cdiv(places, 64),))(
            expert, rank, counts, order, places, total, block, 64
        )
        up, down = tiles_for(count * weights.top_k / weights.routed)
        wide = x.element_size() > 2  # float32, to compare: twice the shared memory
        inner = x.new_empty(places, width)
        cols = _depth(width, up.cols)
        grid = (width // cols, _most_blocks(count, weights, up.rows))
        self._launch(experts.gate_up, grid)(
            x, weights.gate_up, counts, order, inner, channels, width, per_token, total, block,
            up.rows, cols, _depth(channels, up.depth), num_warps=up.warps,
            num_stages=1 if wide else up.stages,
        )  # fmt: skip
        out = x.new_empty(count, per_token, channels)
        cols = _depth(channels, down.cols)
        grid = (channels // cols, _most_blocks(count, weights, down.rows))
        self._launch(experts.down, grid)(
            inner, weights.down, counts, order, share, out, channels, width, total, block,
            down.rows, cols, _depth(width, down.depth), num_warps=down.warps,
            num_stages=1 if wide else down.stages,
        )  # fmt: skip
        return out

    def rotate(self, qkv: Tensor, rope: tuple[Tensor, Tensor], heads: int) -> None:
        """[B, T, W], in place."""
        width = rope[0].shape[-1]
        self._launch(attention.rotate, (qkv.shape[0] * qkv.shape[1],))(
            qkv, *rope, qkv.shape[1], qkv.shape[2], heads, triton.next_power_of_2(heads), width,
            num_warps=1,
        )  # fmt: skip

    def rotate_and_store(
        self,
        qkv: Tensor,
        rope: tuple[Tensor, Tensor],
        cache: tuple[Tensor, Tensor],
        rows: Tensor,
        state: Slots,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """[T, 3HD], in place; views of it as query, key, value [T, H, D]."""
        keys, values = cache
        _, heads, block, width = keys.shape
        self._launch(attention.rotate_and_store, (len(rows),))(
            qkv, *rope, rows, rows if positions is None else positions, state.fields, state.tables,
            keys, values, state.tables.shape[1], heads, triton.next_power_of_2(heads), width, block,
            positions is None, num_warps=2,
        )  # fmt: skip
        query, key, value = qkv.view(len(rows), 3, heads, width).unbind(1)
        return query, key, value

    def attend(
        self, query: Tensor, cache: tuple[Tensor, Tensor], rows: Tensor, state: Slots
    ) -> Tensor:
        """[B, H, D] to [B, H*D]."""
        keys, values = cache
        _, heads, block, width = keys.shape
        pairs = len(rows) * heads
        splits = self._splits or min(16, triton.next_power_of_2(_ceil(_BUSY_PROGRAMS, pairs)))
        out = query.new_empty(len(rows), heads * width)
        wide = {"device": query.device, "dtype": torch.float32}
        parts = [out, out, out]
        if splits > 1:
            parts = [torch.empty(pairs * splits * size, **wide) for size in (width, 1, 1)]
        arguments = (
            query, keys, values, rows, state.fields, state.tables, out, *parts, width**-0.5,
            query.stride(0), state.tables.shape[1], heads, width, block, splits,
        )  # fmt: skip
        if self._products:
            float8 = keys.dtype.itemsize == 1
            self._launch(attention.attend_by_products, (pairs, splits))(
                *arguments, float8, num_warps=self._warps, num_stages=self._stages
            )
        else:
            self._launch(attention.attend, (pairs, splits))(
                *arguments, num_warps=self._warps, num_stages=self._stages
            )
        if splits > 1:
            self._launch(attention.combine, (pairs,))(*parts, out, width, splits, num_warps=1)
        return out

    def choose(self, logits: Tensor, rows: Tensor, state: Slots, stop: Tensor) -> None:
        """[B, V]: the state of the rows moves on by a token."""
        vocabulary, width = logits.shape[1], state.history.shape[1]
        grid = (len(rows),)
        self._launch(tokens.ban, grid)(
            logits, rows, state.fields, state.history, vocabulary, width, 128, num_warps=2
        )
        block = min(4096, triton.next_power_of_2(vocabulary))
        self._launch(tokens.choose, grid)(
            logits, rows, state.fields, state.history, stop, vocabulary, width, len(stop), block,
            num_warps=8,
        )  # fmt: skip

    def sam_attention(
        self, qkv: Tensor, tables: tuple[Tensor, Tensor], bias: Tensor, heads: int, window: int
    ) -> Tensor:
        """[B, G, G, 3C] to [B, G, G, C]."""
        images, grid, _, channels = qkv.shape
        width, size = channels // 3 // heads, window or grid
        reach = max(16, triton.next_power_of_2(size))
        sides: list[Tensor] = []
        for table, by_row in zip(tables, (True, False), strict=True):
            side = qkv.new_empty(images, grid, grid, heads, size)
            self._launch(sam.relative, (grid, images * heads))(
                qkv, table, side, grid, heads, width, size, reach,
                max(16, triton.next_power_of_2(grid)), by_row, num_warps=4,
            )  # fmt: skip
            sides.append(side)
        out = qkv.new_empty(images, grid, grid, channels // 3)
        windows = triton.cdiv(grid, size)
        rows = 64
        lines = 2 if reach <= 32 else 1
        cells = (triton.cdiv(size * size, rows), windows * windows, images * heads)
        self._launch(sam.attend, cells)(
            qkv, *sides, bias, out, grid, heads, windows, width**-0.5, width, size, reach, lines,
            rows, windows * size != grid, num_warps=4, num_stages=3,
        )  # fmt: skip
        return out


def _most_blocks(tokens: int, weights: Experts, rows: int) -> int:
    """Blocks of rows that tokens can fall into, however they are routed."""
    routed = tokens * weights.top_k
    shared = weights.per_token - weights.top_k
    return min(routed, routed // rows + weights.routed) + shared * _ceil(tokens, rows)


def _depth(size: int, most: int) -> int:
    """The largest power of two up to `most` that divides `size`."""
    return min(most, size & -size)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
