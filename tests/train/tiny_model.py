"""A DeepSeek-OCR-2 of seven million parameters, its tokenizer, and how it is written to disk."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import DeepseekOcr2Config, DeepseekOcr2ForConditionalGeneration

from tests.train.pages import ALPHABET, FREE, GROUNDED, TITLE_MARK

SPECIAL = (
    "<|begin|>",
    "<|end|>",
    "<image>",
    "<|grounding|>",
    "<|ref|>",
    "<|/ref|>",
    "<|det|>",
    "<|/det|>",
)
BOS, EOS, IMAGE = 0, 1, 2
PIECES = (FREE, GROUNDED, "[[", "]]", ", ")  # one token each; else a token is a character
IMAGE_TOKENS = 144 + 1  # the queries for views of up to 768 pixels, and the separator
# A page is seen three times as large as it is drawn: then the map that SAM ends with has as many
# parts as there are queries, 12 x 12, and no part has more than two characters of one line.
VIEW_PIXELS = 768

TEXT = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
    "moe_intermediate_size": 128,
    "n_group": 1,
    "topk_group": 1,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}
SAM = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "global_attn_indexes": [],  # a character is smaller than a window
    "window_size": 8,
    "output_channels": 128,
    "downsample_channels": [192, 192],
    "image_size": VIEW_PIXELS,
    "initializer_range": 0.03,  # the family's own, 1e-10, expects weights to be loaded
}
ENCODER = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "vocab_size": 16,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}


def make_tokenizer() -> Tokenizer:
    """One token per character, and one for each of SPECIAL and PIECES.

    A character that no page has becomes TITLE_MARK.
    """
    names = [*SPECIAL, TITLE_MARK, *PIECES, *ALPHABET]
    vocabulary = {name: place for place, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=TITLE_MARK))
    pieces = "|".join(re.escape(piece) for piece in PIECES)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{pieces}|[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def make_config() -> dict[str, Any]:
    """The native config.json."""
    vocabulary = make_tokenizer().get_vocab_size()
    return {
        "model_type": "deepseek_ocr2",
        "architectures": ["DeepseekOcr2ForConditionalGeneration"],
        "text_config": {**TEXT, "vocab_size": vocabulary},
        "vision_config": {"sam_config": dict(SAM), "encoder_config": dict(ENCODER)},
        "image_token_id": IMAGE,
    }


def make_model(seed: int = 0) -> Any:
    """The model with fresh weights, float32, on the CPU."""
    torch.manual_seed(seed)
    model = DeepseekOcr2ForConditionalGeneration(DeepseekOcr2Config.from_dict(make_config()))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "pos_embed" in name or "query_" in name:
                weight.normal_(0, 0.1)
    return model


def save_model(model: Any, directory: Path) -> None:
    """Write weights in bf16, config, tokenizer and what the image processor is to do."""
    directory.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    _write(directory / "config.json", make_config())
    side = {"height": VIEW_PIXELS, "width": VIEW_PIXELS}
    _write(directory / "preprocessor_config.json", {"size": side, "crop_to_patches": False})
    make_tokenizer().save(str(directory / "tokenizer.json"), pretty=False)


def save_weights(model: Any, directory: Path) -> None:
    """Write the weights alone in bf16; the model stays as it is."""
    weights = {name: value.to(torch.bfloat16) for name, value in model.state_dict().items()}
    unfinished = directory / "weights.unfinished"
    save_file(weights, unfinished)
    unfinished.replace(directory / "model.safetensors")


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
