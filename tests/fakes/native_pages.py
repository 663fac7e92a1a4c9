"""Pages for the native runtime, and what transformers reads on them, token by token."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from engines.deepseek.loading import LoadedModel
from engines.deepseek.native.native_runtime import NativeRuntime
from engines.deepseek.native.sizes import Sizes, graph_sizes
from engines.deepseek.prompt import prepare
from engines.deepseek.runtime import Generation, Outcome, Request

NATIVE = ("deepseek-ocr", "deepseek-ocr-2")


class StaggeredFeed:
    """Hands out at most `at_once` pages a look, so that pages join while others run."""

    def __init__(self, requests: Sequence[Request], at_once: int) -> None:
        self._left = deque(requests)
        self._at_once = at_once
        self.capacities: list[int] = []

    @property
    def closed(self) -> bool:
        return not self._left

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Request]:
        del timeout_seconds
        count = min(limit, self._at_once, len(self._left))
        return [self._left.popleft() for _ in range(count)]

    def set_capacity(self, pages: int) -> None:
        self.capacities.append(pages)


def request(family: str, key: str, seed: int, **changes: object) -> Request:
    """A page of noise, small enough for a CPU: no tiles, the family's smallest view."""
    width, height = 60 + 7 * seed, 90 - 3 * seed
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    values = {
        "prompt": "<image>\n" + "Free OCR. "[: seed % 11],
        "view": 512 if family == "deepseek-ocr" else 768,
        "tiles": False,
        "max_tokens": 24,
        "ngram": 3,
        "ngram_window": 12,
    }
    return Request(key, pixels.tobytes(), width, height, **(values | changes))


def sizes(blocks: int = 80, slots: int = 5, chunk: int = 3, block_tokens: int = 16) -> Sizes:
    return Sizes(blocks, slots, 256, chunk, graph_sizes(slots), block_tokens)


def run_native(
    path: Path, requests: Sequence[Request], room: Sizes, at_once: int = 2
) -> tuple[dict[str, Generation], StaggeredFeed]:
    runtime = NativeRuntime(str(path), device="cpu", dtype="float32", sizes=room)
    runtime.load()
    feed = StaggeredFeed(requests, at_once)
    outcomes: list[Outcome] = list(runtime.run(feed, lambda: None))
    runtime.close()
    found = [outcome for outcome in outcomes if isinstance(outcome, Generation)]
    assert len(found) == len(outcomes), outcomes
    return {generation.key: generation for generation in found}, feed


@torch.inference_mode()
def oracle(loaded: LoadedModel, page: Request) -> tuple[list[int], list[torch.Tensor]]:
    """Greedy tokens of a page, and the logits of each, by transformers with its own cache.

    The ban is the processor that the checkpoints' authors publish, written down once more.
    """
    prepared = prepare(page, loaded)
    inputs: dict[str, object] = {
        "input_ids": torch.tensor([prepared.ids]),
        "pixel_values": prepared.views.view[None],
        "pixel_values_local": prepared.views.tiles,
        "num_local_patches": [prepared.plan.tiles],
    }
    if loaded.checkpoint.family.newline_tokens:
        inputs["patches_grid"] = [[prepared.plan.columns or 1, prepared.plan.rows or 1]]
    if prepared.views.tiles is None:
        inputs.pop("pixel_values_local")
        inputs.pop("num_local_patches")
    tokens: list[int] = []
    logits: list[torch.Tensor] = []
    cache = None
    while len(tokens) < page.max_tokens:
        out = loaded.model(**inputs, cache=cache, use_cache=True)
        cache = out.cache
        scores = out.logits[0, -1].clone()
        logits.append(scores.clone())
        size, recent = page.ngram, tokens[-page.ngram_window :]
        if len(tokens) >= size > 0:
            for start in range(len(recent) - size + 1):
                run = recent[start : start + size]
                if run[:-1] == tokens[len(tokens) - size + 1 :] and run[-1] not in page.ngram_free:
                    scores[run[-1]] = -torch.inf
        tokens.append(int(scores.argmax()))
        if tokens[-1] in loaded.eos_ids:
            break
        inputs = {"input_ids": torch.tensor([tokens[-1:]])}
    return tokens, logits


def pages_of(family: str) -> list[Request]:
    count = 6 if family == "deepseek-ocr" else 3  # those of OCR-2 take seconds each
    return [request(family, f"p{seed}", seed) for seed in range(count)]


def shorter(pages: list[Request], limits: Sequence[int]) -> list[Request]:
    return [replace(page, max_tokens=limit) for page, limit in zip(pages, limits, strict=False)]
