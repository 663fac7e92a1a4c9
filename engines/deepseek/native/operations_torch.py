"""Every operation of the runtime in plain PyTorch: what the kernels must agree with.

It runs everywhere, page by page where that reads best. `operations_triton` has the same functions.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.deepseek.native import slots as field
from engines.deepseek.native.slots import Slots
from engines.deepseek.native.weights import Experts


class Operations(Protocol):
    """What the models are written in. All shapes are as in `TorchOperations`."""

    def add_rms_norm(self, x: Tensor, delta: Tensor | None, weight: Tensor, eps: float) -> Tensor:
        """Add to the residual stream and normalise it."""

    def add_layer_norm(self, x: Tensor, delta: Tensor | None, norm: nn.LayerNorm) -> Tensor:
        """The same with a layer norm."""

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        """The gate of an MLP."""

    def experts(self, x: Tensor, weights: Experts) -> Tensor:
        """A mixture of experts."""

    def rotate(self, qkv: Tensor, rope: tuple[Tensor, Tensor], heads: int) -> None:
        """Rotary position, the same for all of a batch."""

    def rotate_and_store(
        self,
        qkv: Tensor,
        rope: tuple[Tensor, Tensor],
        cache: tuple[Tensor, Tensor],
        rows: Tensor,
        state: Slots,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rotary position; keys and values into the cache."""

    def attend(
        self, query: Tensor, cache: tuple[Tensor, Tensor], rows: Tensor, state: Slots
    ) -> Tensor:
        """Attention of one token a page over the page's blocks."""

    def choose(self, logits: Tensor, rows: Tensor, state: Slots, stop: Tensor) -> None:
        """The next token of each page, and whether the page ends with it."""

    def sam_attention(
        self, qkv: Tensor, tables: tuple[Tensor, Tensor], bias: Tensor, heads: int, window: int
    ) -> Tensor:
        """SAM's attention with relative positions, in windows or over the whole image."""


class TorchOperations:
    """The plain versions."""

    def add_rms_norm(self, x: Tensor, delta: Tensor | None, weight: Tensor, eps: float) -> Tensor:
        """`x` [T, C] += `delta` [T, C] or [T, n, C] summed over n, in place; then the RMS norm."""
        if delta is not None:
            total = delta if delta.ndim == x.ndim else delta.float().sum(1)
            x += total.to(x.dtype)
        wide = x.float()
        norm = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        return norm.to(x.dtype) * weight

    def add_layer_norm(self, x: Tensor, delta: Tensor | None, norm: nn.LayerNorm) -> Tensor:
        """`x` [..., C] += `delta` [..., C], in place; then the layer norm."""
        if delta is not None:
            x += delta
        result: Tensor = norm(x)
        return result

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        """[..., 2I] to [..., I]: silu of the first half times the second."""
        gate, up = gate_up.chunk(2, dim=-1)
        return functional.silu(gate) * up

    def experts(self, x: Tensor, weights: Experts) -> Tensor:
        """[T, C] to [T, n, C]: the weighted answers of the n experts of each token, not summed."""
        scores = functional.linear(x.float(), weights.router.float()).softmax(-1)
        chosen, index = scores.topk(weights.top_k, dim=-1)
        count, tokens = int(weights.gate_up.shape[0]), x.shape[0]
        shared = torch.arange(weights.routed, count, device=x.device).expand(tokens, -1)
        index = torch.cat([index, shared], dim=1)
        share = torch.cat([chosen * weights.scale, torch.ones_like(shared, dtype=torch.float)], 1)
        out = x.new_empty(tokens, index.shape[1], x.shape[1])
        for expert in range(count):
            token, place = torch.where(index == expert)
            inner = self.silu_mul(functional.linear(x[token], weights.gate_up[expert]))
            answer = functional.linear(inner, weights.down[expert]).float()
            out[token, place] = (answer * share[token, place, None]).to(x.dtype)
        return out

    def rotate(self, qkv: Tensor, rope: tuple[Tensor, Tensor], heads: int) -> None:
        """The first `heads` vectors of `qkv` [B, T, W] in place; `rope` is cos and sin [T, D]."""
        cos, sin = (table[:, None] for table in rope)
        part = qkv[..., : heads * cos.shape[-1]].unflatten(-1, (heads, -1))
        part.copy_(_rotated(part, cos, sin))

    def rotate_and_store(
        self,
        qkv: Tensor,
        rope: tuple[Tensor, Tensor],
        cache: tuple[Tensor, Tensor],
        rows: Tensor,
        state: Slots,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`qkv` [T, 3HD]: one token of the slots in `rows` [T], at `positions` [T] or the page's.

        Queries and keys are rotated in place by `rope`, cos and sin [positions, D]; keys and values
        go to the cache [blocks, H, block, D]. Returns views of all three, [T, H, D].
        """
        slots = rows.long()
        place = state.fields[slots, field.POSITION] if positions is None else positions
        place = place.long()
        keys, values = cache
        query, key, value = qkv.view(len(slots), 3, keys.shape[1], keys.shape[3]).unbind(1)
        cos, sin = (table[place][:, None] for table in rope)
        query.copy_(_rotated(query, cos, sin))
        key.copy_(_rotated(key, cos, sin))
        block = state.tables[slots, place // state.block_tokens].long()
        active = state.fields[slots, field.ACTIVE].bool()
        block = torch.where(active, block, 0)  # idle rows write where nobody reads
        for target, new in ((keys, key), (values, value)):
            bits = torch.uint8 if target.dtype.itemsize == 1 else target.dtype
            stored = new.to(target.dtype).view(bits)  # float8 cannot be indexed as such
            target.view(bits)[block, :, place % state.block_tokens] = stored
        return query, key, value

    def attend(
        self, query: Tensor, cache: tuple[Tensor, Tensor], rows: Tensor, state: Slots
    ) -> Tensor:
        """`query` [B, H, D] over the page's keys and values, its own included; [B, H*D].

        Idle rows are 0.
        """
        out = torch.zeros_like(query)
        for row, slot in enumerate(rows.tolist()):
            fields = state.fields[slot]
            if not fields[field.ACTIVE]:
                continue
            length = int(fields[field.POSITION]) + 1
            blocks = state.tables[slot, : -(-length // state.block_tokens)].long()
            # [n, H, block, D] to [H, n*block, D]
            keys, values = (
                part[blocks].to(query.dtype).transpose(0, 1).flatten(1, 2)[:, :length]
                for part in cache
            )
            out[row] = functional.scaled_dot_product_attention(
                query[row][:, None], keys, values
            ).squeeze(1)
        return out.flatten(1)

    def choose(self, logits: Tensor, rows: Tensor, state: Slots, stop: Tensor) -> None:
        """From `logits` [B, V] the next token of each active row; the state moves on by it.

        A token is banned (its logit becomes -inf) that would complete a run of NGRAM tokens which
        is within the last WINDOW made already, unless it is free. `stop` are the ends of sequence.
        """
        for row, slot in enumerate(rows.tolist()):
            fields = state.fields[slot]
            if not fields[field.ACTIVE]:
                continue
            values = fields.tolist()
            made = values[field.MADE]
            banned = _banned(state.history[slot, :made].tolist(), values)
            logits[row, list(banned)] = -torch.inf
            scores = logits[row].float()
            if values[field.TEMPERATURE]:
                noise = -torch.empty_like(scores).exponential_().log()  # Gumbel: argmax is a draw
                scores = scores * 1000 / values[field.TEMPERATURE] + noise
            token = int(scores.argmax())
            state.history[slot, made] = token
            fields[field.TOKEN] = token
            fields[field.POSITION] += 1
            fields[field.MADE] = made + 1
            finish = field.STOPPED if token in stop.tolist() else field.RUNNING
            if not finish and made + 1 >= values[field.LIMIT]:
                finish = field.LIMITED
            fields[field.FINISH] = finish
            fields[field.ACTIVE] = int(finish == field.RUNNING)

    def sam_attention(
        self, qkv: Tensor, tables: tuple[Tensor, Tensor], bias: Tensor, heads: int, window: int
    ) -> Tensor:
        """`qkv` [B, G, G, 3C] to [B, G, G, C]; `tables` [2W-1, D], relative rows and columns.

        The image is cut into windows of W x W, the last ones padded: a padded place has `bias`
        [3C], the bias of the projection, for key and value. W is `window`, or G when that is 0.
        """
        images, grid, _, width = qkv.shape
        size = window or grid
        pad = -grid % size
        count = (grid + pad) // size
        extra = bias.expand(images, grid + pad, grid + pad, width).clone()
        extra[:, :grid, :grid] = qkv
        tiles = extra.view(images, count, size, count, size, width).transpose(2, 3)
        tiles = tiles.reshape(images * count * count, size * size, 3, heads, -1)
        query, key, value = (part.transpose(1, 2) for part in tiles.unbind(2))
        steps = torch.arange(size, device=qkv.device)
        relative = steps[:, None] - steps[None, :] + size - 1
        by_row, by_column = (table[relative] for table in tables)  # [W, W, D]
        square = query.unflatten(2, (size, size))
        rows = torch.einsum("bnhwc,hkc->bnhwk", square, by_row)
        columns = torch.einsum("bnhwc,wkc->bnhwk", square, by_column)
        mask = (rows[..., :, None] + columns[..., None, :]).flatten(4).flatten(2, 3)
        out = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out = out.transpose(1, 2).reshape(images, count, count, size, size, -1).transpose(2, 3)
        return out.reshape(images, grid + pad, grid + pad, -1)[:, :grid, :grid].contiguous()


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding: halves of the last axis are the two coordinates."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def _banned(tokens: list[int], fields: list[int]) -> set[int]:
    size, window = fields[field.NGRAM], fields[field.WINDOW]
    if size <= 1 or len(tokens) < size:
        return set()
    free = set(fields[field.FREE : field.FREE + field.FREE_TOKENS])
    recent = tokens[-window:] if window > 0 else tokens
    end = tokens[len(tokens) - size + 1 :]
    starts = range(len(recent) - size + 1)
    return {
        recent[i + size - 1]
        for i in starts
        if recent[i : i + size - 1] == end and recent[i + size - 1] not in free
    }
