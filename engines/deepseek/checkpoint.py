"""A model on disk: found, told apart, described for the classes that load it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.deepseek.families import V1, V2, Family, family_of
from shared.errors import OutsideFailed

_LARGEST_CONFIG_BYTES = 1 << 20
DEFAULT_VIEW = 1024  # of all three
LARGEST_VIEW = 1280

# Fields of the original `language_config` that the native text config has too. Not head_dim,
# use_mla and v_head_dim: they describe an attention that these checkpoints do not use.
_TEXT_FIELDS = (
    "bos_token_id",
    "eos_token_id",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "moe_intermediate_size",
    "n_group",
    "n_routed_experts",
    "n_shared_experts",
    "num_attention_heads",
    "num_experts_per_tok",
    "num_hidden_layers",
    "num_key_value_heads",
    "topk_group",
    "topk_method",
    "vocab_size",
)
_IMAGE_TOKEN_ID = 128815  # `<image>` in the tokenizers of all three
# The vision encoder of DeepSeek-OCR-2 is a Qwen2 of 0.5B; its original config does not say so.
_V2_ENCODER = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 131072,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model directory: where it is, of which family, its config.json."""

    path: Path
    family: Family
    config: Mapping[str, Any]

    @property
    def view(self) -> int:
        """The side of the whole-page view that the model was made for, in pixels.

        Of the image processor's settings beside the model, where there are any.
        """
        try:
            with (self.path / "preprocessor_config.json").open("rb") as file:
                side = json.loads(file.read(_LARGEST_CONFIG_BYTES))["size"]["height"]
        except (OSError, ValueError, KeyError, TypeError):
            return DEFAULT_VIEW
        sound = isinstance(side, int) and 64 <= side <= LARGEST_VIEW and side % 64 == 0
        return side if sound else DEFAULT_VIEW

    @property
    def is_native(self) -> bool:
        """Its config is one of the transformers classes."""
        return "text_config" in self.config

    def native_config(self) -> dict[str, Any]:
        """The config for the native classes, made from the original one where it is that.

        OutsideFailed when the original config lacks what is needed.
        """
        if self.is_native:
            return dict(self.config)
        language = self.config.get("language_config")
        if not isinstance(language, Mapping):
            raise OutsideFailed(
                f"{self.path / 'config.json'} has neither text_config nor language_config: the "
                "download is not complete or not a DeepSeek-OCR model.",
                code="bad_model",
            )
        text: dict[str, Any] = {name: language[name] for name in _TEXT_FIELDS if name in language}
        layers = int(language.get("num_hidden_layers", 12))
        dense = int(language.get("first_k_dense_replace", 1))
        text["mlp_layer_types"] = ["dense"] * dense + ["sparse"] * (layers - dense)
        rope = {"rope_type": "default", "rope_theta": float(language.get("rope_theta", 10000.0))}
        text["rope_parameters"] = rope
        if self.family is V2:
            vision = {"sam_config": {}, "encoder_config": dict(_V2_ENCODER)}
            kind = "deepseek_ocr2"
        else:
            vision = {"sam_config": {}, "encoder_config": {}}
            kind = "unlimited_ocr"
            if self.family is V1:
                text["layer_types"] = ["full_attention"] * layers
            else:
                window = self.config.get("sliding_window", language.get("sliding_window"))
                text |= {} if window is None else {"sliding_window": int(window)}
        return {
            "model_type": kind,
            "text_config": text,
            "vision_config": vision,
            "image_token_id": int(self.config.get("image_token_id", _IMAGE_TOKEN_ID)),
        }


def find_checkpoint(model: str) -> Checkpoint:
    """The checkpoint in a directory, or of a name on the hub (downloaded once, then cached).

    OutsideFailed says what is missing and what to do.
    """
    if not model:
        raise OutsideFailed(
            "No model is set: QUIRE_DEEPSEEK_MODEL names a directory with the weights, or a model "
            "on the hub such as deepseek-community/DeepSeek-OCR-2.",
            code="no_model",
        )
    path = Path(model).expanduser()
    if not path.is_dir():
        path = _from_hub(model)
    try:
        with (path / "config.json").open("rb") as file:
            config = json.loads(file.read(_LARGEST_CONFIG_BYTES))
    except (OSError, ValueError) as error:
        raise OutsideFailed(
            f"{path / 'config.json'} cannot be read ({error}): QUIRE_DEEPSEEK_MODEL must name a "
            "directory with the whole model.",
            code="bad_model",
        ) from error
    family = family_of(config) if isinstance(config, dict) else None
    if family is None:
        raise OutsideFailed(
            f"{path} holds another model: DeepSeek-OCR, DeepSeek-OCR-2 or Unlimited-OCR is needed.",
            code="bad_model",
        )
    if not any(path.glob("*.safetensors")):
        raise OutsideFailed(
            f"{path} has no weights (*.safetensors): download the whole model.", code="no_weights"
        )
    if not (path / "tokenizer.json").is_file():
        raise OutsideFailed(f"{path} has no tokenizer.json.", code="bad_model")
    return Checkpoint(path, family, config)


def _from_hub(name: str) -> Path:
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") != 1
    if looks_like_path:
        raise OutsideFailed(
            f"There is no directory {name}: QUIRE_DEEPSEEK_MODEL must name one with the weights, "
            "or a model on the hub as owner/name.",
            code="no_weights",
        )
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - heavy, and optional
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors"]))
    except (OSError, ValueError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise OutsideFailed(
            f"The model {name} cannot be downloaded ({type(error).__name__}: {error}). Copy it to "
            "this machine and set QUIRE_DEEPSEEK_MODEL to its directory.",
            code="no_weights",
        ) from error


def _not_installed(error: ImportError) -> OutsideFailed:
    return OutsideFailed(
        f"{error.name} is not installed: pip install 'quire[deepseek]' in this engine's "
        "environment.",
        code="not_installed",
    )
