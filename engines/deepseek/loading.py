"""Loads a checkpoint with the native classes of transformers; code from a hub is never run."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engines.deepseek.checkpoint import Checkpoint
from engines.deepseek.memory import ran_out
from shared.errors import OutsideFailed


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory: the transformers model, a `tokenizers.Tokenizer`, and its token ids."""

    checkpoint: Checkpoint
    model: Any
    tokenizer: Any
    device: Any
    dtype: Any

    @cached_property
    def view(self) -> int:
        """The side of the whole-page view where a request names none."""
        return self.checkpoint.view

    @property
    def bos_id(self) -> int:
        """The token that every prompt begins with."""
        return int(self.model.config.text_config.bos_token_id)

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end a page."""
        ids = self.model.config.text_config.eos_token_id
        return tuple(int(i) for i in ids) if isinstance(ids, list | tuple) else (int(ids),)

    @property
    def image_id(self) -> int:
        """The token whose place a piece of the image takes."""
        return int(self.model.config.image_token_id)

    @property
    def max_length(self) -> int:
        """The most tokens, of image, prompt and answer together."""
        return int(self.model.config.text_config.max_position_embeddings)

    def encode(self, text: str) -> list[int]:
        """Token ids of a piece of a prompt, with no begin or end."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of tokens, special ones included."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False)
        return text

    def ids_of(self, *tokens: str) -> tuple[int, ...]:
        """The ids of those tokens that the tokenizer has."""
        ids = (self.tokenizer.token_to_id(token) for token in tokens)
        return tuple(i for i in ids if i is not None)


def model_classes(kind: str) -> tuple[Any, Any]:
    """The (config, model) classes of a native model type. OutsideFailed: not installed."""
    try:
        import transformers  # noqa: PLC0415 - heavy, and optional
    except ImportError as error:
        raise OutsideFailed(
            "transformers is not installed: pip install 'quire[deepseek]' in this engine's "
            "environment.",
            code="not_installed",
        ) from error
    stem = {"deepseek_ocr2": "DeepseekOcr2", "unlimited_ocr": "UnlimitedOcr"}.get(kind)
    found = [
        getattr(transformers, f"{stem}{ending}", None)
        for ending in ("Config", "ForConditionalGeneration")
    ]
    if stem is None or None in found:
        raise OutsideFailed(
            f"transformers {transformers.__version__} has no class for {kind}: 5.24 or newer is "
            "needed.",
            code="not_installed",
        )
    return found[0], found[1]


def load_model(checkpoint: Checkpoint, device: str, dtype: str) -> LoadedModel:
    """Load weights and tokenizer onto a torch device (`cpu`, `cuda`) in a torch dtype's name.

    OutsideFailed says which of package, weights or memory is missing and what to do.
    """
    config = checkpoint.native_config()
    config_class, model_class = model_classes(str(config.get("model_type")))
    import torch  # noqa: PLC0415 - heavy, and optional
    from tokenizers import Tokenizer  # noqa: PLC0415

    target, precision = torch.device(device), getattr(torch, dtype)
    try:
        tokenizer = Tokenizer.from_file(str(checkpoint.path / "tokenizer.json"))
        model, report = model_class.from_pretrained(
            checkpoint.path,
            config=config_class.from_dict(config),
            dtype=precision,
            device_map={"": target},  # the CPU too: every test loads the way that a GPU does
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:
        if ran_out(error):
            raise OutsideFailed(
                f"{device} has no memory left for {checkpoint.path.name}: free it, use another GPU "
                "(deepseek:gpuN) or QUIRE_DEEPSEEK_DEVICE=cpu.",
                code="out_of_memory",
            ) from error
        # safetensors, tokenizers and torch raise classes of their own, some only in private modules
        raise OutsideFailed(
            f"{checkpoint.path} cannot be loaded: {type(error).__name__}: {str(error)[:300]}",
            code="load_failed",
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise OutsideFailed(
            f"{checkpoint.path} lacks weights ({len(missing)}, the first is {missing[0]}): the "
            "download is not complete.",
            code="no_weights",
        )
    model.eval()
    return LoadedModel(checkpoint, model, tokenizer, target, precision)
