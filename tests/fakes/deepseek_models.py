"""Tiny models of the DeepSeek-OCR family with random weights and a tokenizer of their own."""

import json
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from engines.deepseek.loading import model_classes

SPECIAL = (
    "<|begin|>",
    "<|end|>",
    "<image>",
    "<|grounding|>",
    "<|ref|>",
    "<|/ref|>",
    "<|det|>",
    "<|/det|>",
    "<td>",
    "</td>",
)
BOS, EOS, IMAGE = 0, 1, 2
# Wide enough for tests of Latin text, LaTeX and boxes; what is not in it is <unk>.
ALPHABET = "".join(chr(code) for code in range(32, 127)) + "\nßäöüÄÖÜéèçñ€–“”"
SAM = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "global_attn_indexes": [1],
    "output_channels": 16,
    "window_size": 14,
}


def make_tokenizer(directory: Path, alphabet: str = ALPHABET) -> int:
    """Write a tokenizer.json of one token per character; the number of tokens."""
    names = [*SPECIAL, "<unk>", *dict.fromkeys(alphabet)]
    tokenizer = Tokenizer(
        models.WordLevel({name: place for place, name in enumerate(names)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(list(SPECIAL))
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    return len(names)


def text_config(vocabulary: int, **changes: object) -> dict[str, object]:
    """The text part of a tiny model: one dense layer, then experts."""
    layers = int(changes.pop("num_hidden_layers", 2))
    return {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "moe_intermediate_size": 32,
        "n_group": 1,
        "topk_group": 1,
        "n_routed_experts": 8,
        "n_shared_experts": 2,
        "num_experts_per_tok": 3,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "mlp_layer_types": ["dense"] + ["sparse"] * (layers - 1),
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        **changes,
    }


def make_config(family: str, vocabulary: int) -> dict[str, object]:
    """A native config.json of a tiny model of that family (`engines.deepseek.families` names)."""
    text = text_config(vocabulary)
    if family == "deepseek-ocr-2":
        encoder = {
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "intermediate_size": 96,
            "vocab_size": 16,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
        }
        sam = SAM | {"downsample_channels": [32, 48]}
        kind = "deepseek_ocr2"
    else:
        encoder = {
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 96,
        }
        # the output of SAM takes the place of the encoder's own patches: as wide as it
        sam = SAM | {"downsample_channels": [32, 48], "mlp_dim": 64}
        kind = "unlimited_ocr"
        if family == "deepseek-ocr":
            text["layer_types"] = ["full_attention"] * len(text["mlp_layer_types"])
    vision = {"sam_config": sam, "encoder_config": encoder}
    return {
        "model_type": kind,
        "text_config": text,
        "vision_config": vision,
        "image_token_id": IMAGE,
    }


def make_model(directory: Path, family: str, *, seed: int = 0) -> Path:
    """Write a whole tiny model with random weights; its directory.

    The family's config starts SAM at a deviation of 1e-10, with which pixels have no effect:
    those weights are drawn anew.
    """
    vocabulary = make_tokenizer(directory)
    config = make_config(family, vocabulary)
    config_class, model_class = model_classes(str(config["model_type"]))
    torch.manual_seed(seed)
    model = model_class(config_class.from_dict(dict(config)))
    redraw_weights(model, seed)
    model.save_pretrained(directory)
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return directory


def redraw_weights(model: object, seed: int = 0) -> None:
    """Draw what a fresh model leaves at zero or nearly so, at a scale that lets pixels through."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            place = ("rel_pos", "pos_embed", "query_", "view_separator", "image_newline")
            if any(part in name for part in place):
                weight.normal_(0, 0.1, generator=generator)
            elif "sam_encoder" in name and weight.ndim >= 2:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
        model.get_input_embeddings().weight.normal_(0, 1.0, generator=generator)
