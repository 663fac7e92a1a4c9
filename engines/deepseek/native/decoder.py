"""The text model: reading pages in, and one step of all pages that run."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from engines.deepseek.native.kv_cache import KvCache
from engines.deepseek.native.operations_torch import Operations
from engines.deepseek.native.slots import Slots, SlotState
from engines.deepseek.native.weights import Experts, Layer, TextWeights


class Decoder:
    """Twelve layers of attention and experts over the paged cache."""

    def __init__(
        self,
        weights: TextWeights,
        cache: KvCache,
        slots: Slots,
        operations: Operations,
        stop: Sequence[int],
    ) -> None:
        self._weights, self._cache, self._slots, self._ops = weights, cache, slots, operations
        self._stop = torch.tensor(stop, dtype=torch.int32, device=weights.embedding.device)

    def step(self, rows: Tensor) -> Tensor:
        """One token of each page in `rows` [B] int32 (slots); returns the logits [B, V].

        Rows of the padding slot, and of pages that have ended, change nothing.
        """
        weights, ops = self._weights, self._ops
        x = weights.embedding[self._slots.fields[:, 0][rows.long()].long()]
        delta: Tensor | None = None
        for index, layer in enumerate(weights.layers):
            cache = (self._cache.keys[index], self._cache.values[index])
            hidden = ops.add_rms_norm(x, delta, layer.attention_norm, weights.eps)
            qkv = functional.linear(hidden, layer.qkv)
            rope = (weights.cos, weights.sin)
            query, _, _ = ops.rotate_and_store(qkv, rope, cache, rows, self._slots)
            delta = functional.linear(ops.attend(query, cache, rows, self._slots), layer.out)
            hidden = ops.add_rms_norm(x, delta, layer.mlp_norm, weights.eps)
            delta = self._mlp(hidden, layer)
        logits = functional.linear(
            ops.add_rms_norm(x, delta, weights.norm, weights.eps), weights.head
        )
        ops.choose(logits, rows, self._slots, self._stop)
        return logits

    def read_in(self, pages: Sequence[SlotState], embeddings: Sequence[Tensor]) -> Tensor:
        """Fill the cache from `embeddings` [context, C] of each page and choose first tokens.

        Pages that come back after a preemption have their tokens already; for those only the cache
        is filled. Slots must have been started. Returns the logits [pages, V] of the last tokens.
        """
        weights, ops = self._weights, self._ops
        lengths = [len(part) for part in embeddings]
        slots, positions = self._places(pages, lengths)
        x, delta = torch.cat(list(embeddings)), None
        for index, layer in enumerate(weights.layers):
            hidden = ops.add_rms_norm(x, delta, layer.attention_norm, weights.eps)
            qkv = functional.linear(hidden, layer.qkv)
            cache = (self._cache.keys[index], self._cache.values[index])
            rope = (weights.cos, weights.sin)
            parts = ops.rotate_and_store(qkv, rope, cache, slots, self._slots, positions)
            delta = functional.linear(_attend_each(*parts, lengths), layer.out)
            hidden = ops.add_rms_norm(x, delta, layer.mlp_norm, weights.eps)
            delta = self._mlp(hidden, layer)
        ends = self._slots.upload([sum(lengths[: i + 1]) - 1 for i in range(len(lengths))]).long()
        last = None if delta is None else delta[ends].contiguous()
        hidden = ops.add_rms_norm(x[ends], last, weights.norm, weights.eps)
        logits = functional.linear(hidden, weights.head)
        # A page that has its tokens is chosen for in the padding row: nothing happens.
        rows = [self._slots.padding if page.tokens else page.slot for page in pages]
        ops.choose(logits, self._slots.upload(rows), self._slots, self._stop)
        return logits

    def embed(self, tokens: Sequence[int]) -> Tensor:
        """[T, C] of token ids."""
        return self._weights.embedding[self._slots.upload(list(tokens)).long()]

    def _mlp(self, hidden: Tensor, layer: Layer) -> Tensor:
        mlp = layer.mlp
        if isinstance(mlp, Experts):
            return self._ops.experts(hidden, mlp)
        gate_up = functional.linear(hidden, mlp.gate_up)
        return functional.linear(self._ops.silu_mul(gate_up), mlp.down)

    def _places(self, pages: Sequence[SlotState], lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
        """For each token that is read in its slot and its position, [T] int32."""
        total = sum(lengths)
        starts = [sum(lengths[:page]) for page in range(len(lengths))]
        slots, first, count = self._slots.upload(
            [[page.slot for page in pages], starts, list(lengths)]
        )
        places = torch.arange(total, device=slots.device, dtype=torch.int32)
        slots, first = (part.repeat_interleave(count, output_size=total) for part in (slots, first))
        return slots, places - first


def _attend_each(query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]) -> Tensor:
    """Causal attention within each page; [T, H, D] to [T, H*D]. Pages of one length go together:
    most pages of a document are cut alike, and then one call does all.
    """
    if len(set(lengths)) == 1:
        query, key, value = (
            part.view(len(lengths), lengths[0], *part.shape[1:]).transpose(1, 2)
            for part in (query, key, value)
        )
        out = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return out.transpose(1, 2).reshape(sum(lengths), -1)
    outs = [
        _attend_each(*parts, [len(parts[0])])
        for parts in zip(
            query.split(list(lengths)),
            key.split(list(lengths)),
            value.split(list(lengths)),
            strict=True,
        )
    ]
    return torch.cat(outs)
