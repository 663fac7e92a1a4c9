"""Can the native runtime run here, and this model? If not, why: health says so."""

from importlib.util import find_spec
from typing import Any


def why_not_here() -> str:
    """Why this machine cannot run it, as the end of a sentence; empty when it can."""
    if find_spec("torch") is None:
        return "torch is not installed"
    import torch  # noqa: PLC0415 - heavy, and optional

    if not torch.cuda.is_available():
        return "there is no CUDA GPU"
    if find_spec("triton") is None:
        return "Triton is not installed (pip install triton)"
    major, minor = torch.cuda.get_device_capability()
    if major < 8:
        return f"the GPU is of compute capability {major}.{minor}, and the kernels need 8.0"
    return ""


def why_not_float8() -> str:
    """Why the KV cache cannot be kept in float8 here; empty when it can."""
    import torch  # noqa: PLC0415 - heavy, and optional

    if torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 9):
        return "the GPU has no float8 (compute capability 8.9 is needed)"
    return ""


def why_not_this(config: Any) -> str:
    """Why this model (its transformers config) cannot run natively; empty when it can."""
    text = config.text_config
    head = int(text.head_dim)
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        return "its text attends within a sliding window"
    if head & (head - 1) or head < 16:
        return f"its heads are {head} wide, which is no power of two"
    if text.num_key_value_heads != text.num_attention_heads:
        return "its heads share keys"
    if text.topk_method != "greedy" and (text.n_group or 1) > 1:
        return f"its experts are chosen by {text.topk_method}"
    if text.attention_bias or text.mlp_bias or text.hidden_act != "silu":
        return "its layers have biases or another activation"
    return ""
