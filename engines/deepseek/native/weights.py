"""The text model's weights, fused for large products. Taken out of a transformers model."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Mlp:
    """A gated layer: `gate_up` [2I, C], gate rows first; `down` [C, I]."""

    gate_up: Tensor
    down: Tensor


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of experts: `router` [E, C]; `gate_up` [E+S, 2I, C]; `down` [E+S, C, I].

    The S last ones are the shared expert: a gated layer of width S*I is the sum of S of width I.
    Each token goes to `top_k` of the first E, weighted by the softmax of all, and to all S.
    """

    router: Tensor
    gate_up: Tensor
    down: Tensor
    top_k: int
    scale: float

    @property
    def routed(self) -> int:
        """E."""
        return int(self.router.shape[0])

    @property
    def per_token(self) -> int:
        """Experts that each token goes to, shared ones included."""
        return self.top_k + int(self.gate_up.shape[0]) - self.routed


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder layer: `qkv` [3HD, C], `out` [C, HD], the two norms [C], and its MLP."""

    attention_norm: Tensor
    qkv: Tensor
    out: Tensor
    mlp_norm: Tensor
    mlp: Mlp | Experts


@dataclass(frozen=True, slots=True)
class TextWeights:
    """All of it: `embedding` and `head` [V, C], `norm` [C]; `cos`, `sin` [positions, D]."""

    layers: tuple[Layer, ...]
    embedding: Tensor
    head: Tensor
    norm: Tensor
    cos: Tensor
    sin: Tensor
    heads: int
    head_dim: int
    eps: float

    @property
    def kv_elements_per_token(self) -> int:
        """Numbers that the KV cache keeps for one token."""
        return 2 * len(self.layers) * self.heads * self.head_dim

    @property
    def vocabulary(self) -> int:
        """V."""
        return int(self.head.shape[0])


def take_text_weights(model: Any, max_tokens: int) -> TextWeights:
    """Fuse the weights of `...ForConditionalGeneration`, layer by layer.

    The experts of `model` are freed on the way: together they are most of its memory, and the
    fused ones would not fit beside them on a small GPU. `model` cannot generate afterwards.
    """
    text, config = model.model.language_model, model.config.text_config
    eps = float(config.rms_norm_eps)
    with torch.no_grad():
        layers = tuple(_take_layer(layer, config) for layer in text.layers)
        weight = text.embed_tokens.weight
        positions = torch.arange(max_tokens, device=weight.device)[None]
        cos, sin = text.rotary_emb(weight[:1], positions)
    return TextWeights(
        layers,
        weight.detach(),
        model.lm_head.weight.detach(),
        text.norm.weight.detach(),
        cos[0].contiguous(),
        sin[0].contiguous(),
        int(config.num_attention_heads),
        int(config.head_dim),
        eps,
    )


def _take_layer(layer: Any, config: Any) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    qkv = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
    return Layer(
        layer.input_layernorm.weight.detach(),
        qkv.detach(),
        attention.o_proj.weight.detach(),
        layer.post_attention_layernorm.weight.detach(),
        _take_experts(mlp, config) if hasattr(mlp, "experts") else _take_mlp(mlp),
    )


def _take_mlp(mlp: Any) -> Mlp:
    gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
    return Mlp(gate_up.detach(), mlp.down_proj.weight.detach())


def _take_experts(mlp: Any, config: Any) -> Experts:
    shared, routed = mlp.shared_experts, mlp.experts
    width, channels = int(config.moe_intermediate_size), int(config.hidden_size)
    # [S*I, C] is S experts' [I, C]; down's [C, S*I] is S times [C, I], side by side.
    gate = shared.gate_proj.weight.view(-1, width, channels)
    up = shared.up_proj.weight.view(-1, width, channels)
    down = shared.down_proj.weight.view(channels, -1, width).transpose(0, 1)
    gate_up = torch.cat([routed.gate_up_proj.data, torch.cat([gate, up], dim=1)])
    routed.gate_up_proj = None
    down = torch.cat([routed.down_proj.data, down])
    routed.down_proj = None
    return Experts(
        # transformers widens it to float32 when it loads; the products of numbers in bf16 are the
        # same to the bit, summed in float32
        mlp.gate.weight.detach().to(gate_up.dtype),
        gate_up.detach(),
        down.detach(),
        int(config.num_experts_per_tok),
        float(config.routed_scaling_factor),
    )
