"""DeepSeek-OCR-2 at its true size with random weights, and pages for it. No weights are needed.

Speed depends on shapes and bytes, not on what the numbers say, with three exceptions that are seen
to: tokens are drawn (temperature 1), so that experts are used as evenly as by real text; the end
of sequence cannot come, so that lengths are those that were drawn; SAM starts at a deviation of
1e-10 by its config, which is drawn anew.
"""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.deepseek.checkpoint import Checkpoint
from engines.deepseek.families import V2
from engines.deepseek.loading import LoadedModel, model_classes
from engines.deepseek.runtime import Request

A4 = (1654, 2339)  # pixels at 200 dpi: one view of 1024 and 2 x 3 tiles of 768
LENGTHS = (400, 1600)  # tokens of a page, drawn evenly
TEXT: dict[str, Any] = {
    "vocab_size": 129280,
    "hidden_size": 1280,
    "intermediate_size": 6848,
    "num_hidden_layers": 12,
    "num_attention_heads": 10,
    "num_key_value_heads": 10,
    "max_position_embeddings": 8192,
    "moe_intermediate_size": 896,
    "n_group": 1,
    "topk_group": 1,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "bos_token_id": 0,
    "eos_token_id": 129280,  # beyond the vocabulary
    "mlp_layer_types": ["dense"] + ["sparse"] * 11,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}
ENCODER: dict[str, Any] = {
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "max_position_embeddings": 131072,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}


# The same in little, for a CPU: whether everything goes, not how fast.
SMALL_TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "moe_intermediate_size": 32,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "mlp_layer_types": ["dense", "sparse"],
}
SMALL_VISION: dict[str, Any] = {
    "sam_config": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "global_attn_indexes": [],
        "output_channels": 16,
        "downsample_channels": [32, 64],
    },
    "encoder_config": ENCODER
    | {
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "intermediate_size": 64,
        "vocab_size": 16,
    },
}


class PlainTokenizer:
    """Prompts of a few tokens, the first of which is `first`; texts as numbers."""

    def __init__(self, first: int = 1000) -> None:
        self._first = first

    def encode(self, text: str, *, add_special_tokens: bool = False) -> Any:
        """One token for a word."""
        del add_special_tokens
        return type("Encoding", (), {"ids": [self._first + len(word) for word in text.split()]})

    def decode(self, ids: list[int], *, skip_special_tokens: bool = False) -> str:
        """Five letters for a token."""
        del skip_special_tokens
        return " ".join(map(str, ids))


def make_small_model() -> LoadedModel:
    """The same architecture in little, on the CPU."""
    return make_model("cpu", torch.float32, SMALL_VISION, **SMALL_TEXT)


def make_model(
    device: str,
    dtype: torch.dtype = torch.bfloat16,
    vision: Mapping[str, Any] | None = None,
    **text: Any,
) -> LoadedModel:
    """The whole model, made on the device. `vision` replaces, `text` changes its config."""
    config_class, model_class = model_classes("deepseek_ocr2")
    config = config_class(
        text_config=TEXT | text,
        vision_config=vision or {"sam_config": {}, "encoder_config": ENCODER},
        image_token_id=128815,
    )
    torch.manual_seed(0)
    with torch.device(device), torch.no_grad():
        model = model_class._from_config(config, dtype=dtype).eval()
        for name, weight in model.named_parameters():
            if any(part in name for part in ("rel_pos", "pos_embed", "query_", "separator")):
                weight.normal_(0, 0.02)
            elif "sam_encoder" in name and weight.ndim >= 2:
                weight.normal_(0, weight[0].numel() ** -0.5)
        model.model.language_model.embed_tokens.weight.normal_(0, 1.0)
    checkpoint = Checkpoint(Path("random"), V2, {})
    return LoadedModel(checkpoint, model, PlainTokenizer(), torch.device(device), dtype)


def make_requests(
    count: int, *, seed: int = 0, lengths: tuple[int, int] = LENGTHS
) -> list[Request]:
    """Pages of noise with drawn lengths; eight images, each used many times."""
    width, height = A4
    draw, noise = random.Random(seed), np.random.default_rng(seed)
    images = [
        noise.integers(0, 256, (height, width, 3), dtype=np.uint8).tobytes() for _ in range(8)
    ]
    return [
        Request(
            f"page-{number}",
            images[number % 8],
            width,
            height,
            "<image>\n<|grounding|>Convert the document to markdown.",
            max_tokens=draw.randint(*lengths),
            temperature=1.0,
        )
        for number in range(count)
    ]


class Waiting:
    """All pages wait from the start: a RequestFeed for one run, that notes what it is told."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._left = deque(requests)
        self.capacities: list[int] = []

    @property
    def closed(self) -> bool:
        """Whether all were taken."""
        return not self._left

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Request]:
        """Up to `limit` of those left."""
        del timeout_seconds
        return [self._left.popleft() for _ in range(min(limit, len(self._left)))]

    def set_capacity(self, pages: int) -> None:
        """Note it."""
        self.capacities.append(pages)
