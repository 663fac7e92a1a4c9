"""The three checkpoints of the family: what differs between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Family:
    """One checkpoint's way with pages.

    `tile` is the side of a tile and `max_tiles` how many the model was trained with; `views` are
    the sides of the whole-page view that it knows. A view of at most `squeezed_view` is squeezed
    into the square instead of padded. `newline_tokens`: each row of patches ends with a token of
    its own (v1 and its descendant).
    """

    name: str
    tile: int
    max_tiles: int
    views: tuple[int, ...]
    squeezed_view: int
    newline_tokens: bool

    @property
    def min_tiles(self) -> int:
        """The fewest tiles that a page is cut into."""
        return 2


V1 = Family("deepseek-ocr", 640, 9, (512, 640, 1024, 1280), 640, newline_tokens=True)
V2 = Family("deepseek-ocr-2", 768, 6, (768, 1024), 0, newline_tokens=False)
UNLIMITED = Family("unlimited-ocr", 640, 32, (512, 640, 1024, 1280), 640, newline_tokens=True)


def family_of(config: Mapping[str, Any]) -> Family | None:
    """The family of a model by its config.json; None when it is another model.

    v1 is loaded through the classes of Unlimited-OCR: with a native config the two differ only in
    how text attends.
    """
    names = " ".join([str(config.get("model_type", "")), *_strings(config.get("architectures"))])
    spelled = "".join(character for character in names.lower() if character.isalnum())
    if "unlimitedocr" in spelled:
        text = config.get("text_config")
        kinds = set(_strings(text.get("layer_types"))) if isinstance(text, Mapping) else set()
        return V1 if kinds == {"full_attention"} else UNLIMITED
    if "deepseekocr2" in spelled:
        return V2
    if "deepseekocr" in spelled:
        return V1
    return None


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
