"""From the views of several pages to the embeddings that stand in their prompts."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engines.deepseek.image_plan import ImagePlan
from engines.deepseek.native.encoders import ClipEncoder, Encoder, QueryEncoder
from engines.deepseek.native.operations_torch import Operations
from engines.deepseek.native.sam import Sam
from engines.deepseek.pixels import Views


class Vision:
    """Both encoders and the projector, over all images of one size at once.

    `most_images` bounds the memory that a call takes.
    """

    def __init__(self, model: Any, operations: Operations, most_images: int) -> None:
        self._model = model.model
        tower = self._model.vision_tower
        self._sam = Sam(tower.sam_encoder, operations)
        has_queries = hasattr(tower, "query_768_resolution")
        self._encoder: Encoder = (QueryEncoder if has_queries else ClipEncoder)(tower, operations)
        self._most_images = most_images

    def encode(self, views: Sequence[Views], plans: Sequence[ImagePlan]) -> list[Tensor]:
        """For each page its image tokens, [plan.tokens, C], in the order of the prompt."""
        images: list[Tensor] = [page.view for page in views]
        for page in views:
            images += list(page.tiles) if page.tiles is not None else []
        tokens = self._encode_images(images)
        globals_, locals_ = tokens[: len(views)], iter(tokens[len(views) :])
        return [
            self._assemble(view, [next(locals_) for _ in range(plan.tiles)], plan)
            for view, plan in zip(globals_, plans, strict=True)
        ]

    def _encode_images(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Images [3, S, S] of any sizes to their tokens [n, C]; those of one size together."""
        tokens: list[Tensor] = [images[0]] * len(images)
        for size in dict.fromkeys(image.shape[-1] for image in images):
            places = [place for place, image in enumerate(images) if image.shape[-1] == size]
            # Larger images in smaller groups: memory goes with the pixels.
            group = max(1, self._most_images * 768 * 768 // (size * size))
            for start in range(0, len(places), group):
                batch = places[start : start + group]
                found = self._encoder(self._sam(torch.stack([images[place] for place in batch])))
                for place, answer in zip(
                    batch, self._model.multi_modal_projector(found), strict=True
                ):
                    tokens[place] = answer
        return tokens

    def _assemble(self, view: Tensor, tiles: list[Tensor], plan: ImagePlan) -> Tensor:
        """Tiles, then the whole page, then the separator; v1 ends each row with a newline."""
        separator = self._model.view_separator[None]
        if not plan.family.newline_tokens:
            return torch.cat([*tiles, view, separator])
        parts = [self._with_newlines(view[None], 1), separator]
        if tiles:
            parts.insert(0, self._with_newlines(torch.stack(tiles), plan.columns))
        return torch.cat(parts)

    def _with_newlines(self, tokens: Tensor, columns: int) -> Tensor:
        """[rows * columns, side * side, C] as rows of the whole, a newline after each."""
        side = int(tokens.shape[1] ** 0.5)
        lines = tokens.view(-1, columns, side, side, tokens.shape[2]).transpose(1, 2)
        lines = lines.reshape(-1, columns * side, tokens.shape[2])
        newline = self._model.image_newline.expand(len(lines), 1, -1)
        return torch.cat([lines, newline], dim=1).flatten(0, 1)
