"""Batches of pages with their answers, drawn by processes beside the trainer."""

import multiprocessing
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.train.glyphs import entries
from tests.train.pages import FREE, GROUNDED, make_page
from tests.train.tiny_model import EOS, make_tokenizer

PROMPTS = {"free": f"\n{FREE}", "grounded": f"\n<|grounding|>{GROUNDED}"}
GROUNDED_SHARE = 0.4
_STEPS = 32  # lengths are rounded up to it: fewer shapes, fewer plans


@dataclass(frozen=True, slots=True)
class PageBatch:
    """`rows` draw the pages; `tokens` (pages, length) are prompt, answer and end, then -1."""

    task: str
    rows: NDArray[np.int32]
    tokens: NDArray[np.int64]
    prompt: int  # how many tokens the prompt has after the image


def make_batch(draw: random.Random, tokenizer: Any, task: str, size: int) -> PageBatch:
    """Random pages and their answers."""
    pages = [make_page(draw) for _ in range(size)]
    prompt = tokenizer.encode(PROMPTS[task]).ids
    answers = [page.free() if task == "free" else page.grounded() for page in pages]
    ids = [prompt + encoding.ids + [EOS] for encoding in tokenizer.encode_batch(answers)]
    longest = -(-max(len(row) for row in ids) // _STEPS) * _STEPS
    tokens = np.full((size, longest), -1, np.int64)
    for place, row in enumerate(ids):
        tokens[place, : len(row)] = row
    return PageBatch(task, entries(pages), tokens, len(prompt))


def _produce(seed: int, size: int, batches: Any) -> None:
    draw = random.Random(seed)
    tokenizer = make_tokenizer()
    while True:
        task = "grounded" if draw.random() < GROUNDED_SHARE else "free"
        batches.put(make_batch(draw, tokenizer, task, size))


class Batches:
    """Endless batches of `size` pages from `processes` processes."""

    def __init__(self, seed: int, size: int, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue = context.Queue(4 * processes)
        self._processes = [
            context.Process(target=_produce, args=(seed + n, size, self._queue), daemon=True)
            for n in range(processes)
        ]
        for process in self._processes:
            process.start()

    def take(self) -> PageBatch:
        batch: PageBatch = self._queue.get(timeout=120)
        return batch

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()
