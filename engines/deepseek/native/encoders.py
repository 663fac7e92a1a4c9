"""The second vision encoders: a Qwen2 with learned queries (OCR-2) or a CLIP (v1)."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from engines.deepseek.native.operations_torch import Operations


class Encoder(Protocol):
    """From SAM's map to the tokens of an image."""

    def __call__(self, shrunk: Tensor) -> Tensor:
        """[B, C, g, g] to [B, tokens, C']."""


class QueryEncoder:
    """OCR-2's: patches see each other, then as many learned queries see all before them."""

    def __init__(self, tower: Any, operations: Operations) -> None:
        self._ops = operations
        self._few, self._many = tower.query_768_resolution, tower.query_1024_resolution
        self._encoder = tower.vision_encoder
        config = self._encoder.config
        self._eps = float(config.rms_norm_eps)
        self._heads = (config.num_attention_heads, config.num_key_value_heads)
        self._layers = [_fuse(layer) for layer in self._encoder.layers]
        self._rope: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, shrunk: Tensor) -> Tensor:
        """[B, C, g, g] to [B, queries, C]."""
        patches = shrunk.flatten(2).transpose(1, 2)
        images, prefix, channels = patches.shape
        queries = self._few if prefix <= self._few.num_embeddings else self._many
        x = torch.cat([patches, queries.weight.expand(images, -1, -1)], dim=1)
        length = x.shape[1]
        if length not in self._rope:
            positions = torch.arange(length, device=x.device)[None]
            cos, sin = self._encoder.rotary_emb(x, positions)
            self._rope[length] = (cos[0].contiguous(), sin[0].contiguous())
        cos, sin = self._rope[length]
        ops, delta = self._ops, None
        for norm1, qkv, bias, out, norm2, gate_up, down in self._layers:
            hidden = ops.add_rms_norm(x, delta, norm1, self._eps)
            both = functional.linear(hidden, qkv, bias)
            ops.rotate(both, (cos, sin), self._heads[0] + self._heads[1])
            query, key, value = (
                both.unflatten(-1, (-1, self._width))
                .transpose(1, 2)
                .split([self._heads[0], self._heads[1], self._heads[1]], dim=1)
            )
            delta = functional.linear(_prefix_attention(query, key, value, prefix), out)
            hidden = ops.add_rms_norm(x, delta, norm2, self._eps)
            delta = functional.linear(ops.silu_mul(functional.linear(hidden, gate_up)), down)
        x = x if delta is None else x + delta
        tail = x[:, prefix:].contiguous()
        return ops.add_rms_norm(tail, None, self._encoder.norm.weight, self._eps).view(
            images, -1, channels
        )

    @property
    def _width(self) -> int:
        return int(self._encoder.config.hidden_size) // int(self._heads[0])


class ClipEncoder:
    """v1's: a CLIP over SAM's map in place of patches; its tokens beside the map itself."""

    def __init__(self, tower: Any, operations: Operations) -> None:
        self._ops, self._encoder = operations, tower.vision_encoder
        self._positions: dict[int, Tensor] = {}
        self._qkv = []
        for layer in self._encoder.encoder.layers:
            parts = [layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj]
            self._qkv.append(
                (
                    torch.cat([p.weight for p in parts]).detach(),
                    torch.cat([p.bias for p in parts]).detach(),
                )
            )

    def __call__(self, shrunk: Tensor) -> Tensor:
        """[B, C, g, g] to [B, g * g, C' + C]."""
        encoder, ops = self._encoder, self._ops
        patches = shrunk.flatten(2).transpose(1, 2)
        images, count, channels = patches.shape
        x = torch.cat([encoder.embeddings.class_embedding.expand(images, 1, -1), patches], dim=1)
        if count not in self._positions:
            side = shrunk.shape[2] * encoder.embeddings.patch_size
            self._positions[count] = encoder.embeddings.interpolate_pos_encoding(x, side, side)
        x = ops.add_layer_norm(x + self._positions[count], None, encoder.pre_layrnorm)
        delta: Tensor | None = None
        for layer, (qkv, bias) in zip(encoder.encoder.layers, self._qkv, strict=True):
            attention = layer.self_attn
            hidden = ops.add_layer_norm(x, delta, layer.layer_norm1)
            heads = functional.linear(hidden, qkv, bias)
            query, key, value = (
                part.transpose(1, 2)
                for part in heads.view(images, count + 1, 3, attention.num_heads, -1).unbind(2)
            )
            attended = functional.scaled_dot_product_attention(query, key, value)
            delta = attention.out_proj(
                attended.transpose(1, 2).reshape(images, count + 1, channels)
            )
            hidden = ops.add_layer_norm(x, delta, layer.layer_norm2)
            delta = layer.mlp.fc2(layer.mlp.activation_fn(layer.mlp.fc1(hidden)))
        x = x if delta is None else x + delta
        return torch.cat([x[:, 1:], patches], dim=-1)


def _fuse(layer: Any) -> tuple[Tensor, ...]:
    attention, mlp = layer.self_attn, layer.mlp
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    weights = (
        layer.input_layernorm.weight,
        torch.cat([part.weight for part in parts]),
        torch.cat([part.bias for part in parts]),
        attention.o_proj.weight,
        layer.post_attention_layernorm.weight,
        torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
        mlp.down_proj.weight,
    )
    return tuple(weight.detach() for weight in weights)


def _prefix_attention(query: Tensor, key: Tensor, value: Tensor, prefix: int) -> Tensor:
    """The first `prefix` places see each other, the others what comes before them: two calls
    without a mask are exact, and each takes a fused kernel. [B, H, T, D] to [B, T, H*D].
    """
    first = functional.scaled_dot_product_attention(
        query[:, :, :prefix], key[:, :, :prefix], value[:, :, :prefix], enable_gqa=True
    )
    rest = functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, enable_gqa=True
    )
    both = torch.cat([first, rest[:, :, prefix:]], dim=2)
    return both.transpose(1, 2).flatten(2)
