"""Batches of pages with their answers, drawn by processes beside the trainer."""

import multiprocessing
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.train.glyphs import entries
from tests.train.pages import ADVANCE, FREE, GROUNDED, PAGE_POINTS, Page, head_of, make_page
from tests.train.tiny_model import EOS, make_tokenizer

PROMPTS = {"free": f"\n{FREE}", "grounded": f"\n<|grounding|>{GROUNDED}"}
GROUNDED_SHARE = 0.35
GRID = 12  # the model's queries, 12 x 12, are taught to look at as many parts of the page
NOWHERE = (-1.0, -1.0, -1.0, -1.0)
_STEPS = 32  # lengths are rounded up to it: fewer shapes, fewer plans


@dataclass(frozen=True, slots=True)
class PageBatch:
    """`rows` draw the pages; `tokens` (pages, length) are prompt, answer and end, then -1.

    `spots` (pages, length, 4) is where a token's character stands: x and y of its middle in parts
    of the page, of which there are GRID x GRID, its line on the page, and its column in that
    line. -1 for what is not drawn.
    """

    task: str
    rows: NDArray[np.int32]
    tokens: NDArray[np.int64]
    spots: NDArray[np.float32]
    prompt: int  # how many tokens the prompt has after the image


def _answer(page: Page, task: str, tokenizer: Any) -> tuple[list[int], list[tuple[float, ...]]]:
    """The answer's tokens and their spots."""
    ids: list[int] = []
    spots: list[tuple[float, ...]] = []

    def literal(text: str) -> None:
        found = tokenizer.encode(text).ids
        ids.extend(found)
        spots.extend([NOWHERE] * len(found))

    side = PAGE_POINTS / GRID
    number = 0
    for paragraph in page.paragraphs:
        if number:
            literal("\n" if task == "free" else "\n\n")
        if task == "grounded":
            literal(head_of(paragraph))
        for place, line in enumerate(paragraph.lines):
            if place:
                literal("\n")
            encoded = tokenizer.encode(line.text)
            ids.extend(encoded.ids)
            y = (line.baseline - 0.25 * line.size) / side
            for column, _ in encoded.offsets:
                x = (line.x + (column + 0.5) * ADVANCE * line.size) / side
                spots.append((x, y, number, column))
            number += 1
    return ids, spots


def make_batch(draw: random.Random, tokenizer: Any, task: str, size: int) -> PageBatch:
    """Random pages and their answers."""
    pages = [make_page(draw) for _ in range(size)]
    prompt = tokenizer.encode(PROMPTS[task]).ids
    answers = [_answer(page, task, tokenizer) for page in pages]
    longest = max(len(prompt) + len(ids) + 1 for ids, _ in answers)
    longest = -(-longest // _STEPS) * _STEPS
    tokens = np.full((size, longest), -1, np.int64)
    spots = np.full((size, longest, len(NOWHERE)), -1, np.float32)
    for place, (ids, where) in enumerate(answers):
        row = [*prompt, *ids, EOS]
        tokens[place, : len(row)] = row
        spots[place, len(prompt) : len(prompt) + len(where)] = where
    return PageBatch(task, entries(pages), tokens, spots, len(prompt))


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
