"""Reads unseen pages with a trained tiny model: `python -m tests.train.evaluate_tiny_ocr DIR`."""

import argparse
import json
import random
import re
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.deepseek.runtime import Generation, Request
from engines.deepseek.transformers_runtime import TransformersRuntime
from tests.fakes.request_feeds import RequestBatch
from tests.train.glyphs import Painter, entries
from tests.train.pages import PAGE_PIXELS, Page, make_page
from tests.train.tiny_model import VIEW_PIXELS
from tests.train.training_batches import PROMPTS

UNSEEN_SEED = 987_654_321  # training draws from seeds next to its own, 1 by default


def distance(left: str, right: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def overlap(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    """Area of both over area of either."""
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    both = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return both / (sum(areas) - both)


def read(
    runtime: TransformersRuntime, pages: list[Page], painter: Painter, task: str, tokens: int
) -> list[Generation]:
    """What the model says of the pages, in their order."""
    levels = painter.paint(torch.from_numpy(entries(pages)), len(pages)).round().byte().numpy()
    requests = [
        Request(
            str(number),
            np.repeat(image[:, :, None], 3, axis=2).tobytes(),
            PAGE_PIXELS,
            PAGE_PIXELS,
            f"<image>{PROMPTS[task]}",
            view=VIEW_PIXELS,
            tiles=False,
            max_tokens=tokens,
        )
        for number, image in enumerate(levels)
    ]
    found = list(runtime.run(RequestBatch(requests), lambda: None))
    assert all(isinstance(outcome, Generation) for outcome in found), found
    return sorted(found, key=lambda generation: int(generation.key))


def evaluate(model: Path, table: NDArray[np.uint8], count: int, tokens: int) -> dict[str, float]:
    """Character error rate of both tasks, overlap of boxes, seconds a page."""
    runtime = TransformersRuntime(str(model), batch=count)
    runtime.load()
    painter = Painter(table, torch.device("cpu"))
    draw = random.Random(UNSEEN_SEED)
    scores: dict[str, float] = {"pages": count}
    lines = [make_page(draw, 1) for _ in range(count)]
    pages = [make_page(draw) for _ in range(count)]
    for name, asked in (("lines", lines), ("pages", pages)):
        started = time.perf_counter()
        said = read(runtime, asked, painter, "free", tokens)
        scores[f"seconds_{name}"] = round((time.perf_counter() - started) / count, 4)
        truth = [page.free() for page in asked]
        errors = sum(distance(g.text, t) for g, t in zip(said, truth, strict=True))
        scores[f"cer_{name}"] = round(errors / sum(map(len, truth)), 5)
        scores[f"stopped_{name}"] = sum(g.finish_reason == "stop" for g in said) / count
    said = read(runtime, pages, painter, "grounded", tokens)
    truth = [page.grounded() for page in pages]
    plain = [re.sub(r"\[\[.*?\]\]", "", text) for text in truth]
    errors = sum(
        distance(re.sub(r"\[\[.*?\]\]", "", g.text), t) for g, t in zip(said, plain, strict=True)
    )
    scores["cer_grounded"] = round(errors / sum(map(len, plain)), 5)
    overlaps: list[float] = []
    for generation, page in zip(said, pages, strict=True):
        boxes = [
            tuple(int(value) / 999 for value in found)
            for found in re.findall(r"\[\[(\d+), (\d+), (\d+), (\d+)\]\]", generation.text)
        ]
        wanted = [paragraph.box for paragraph in page.paragraphs]
        if len(boxes) == len(wanted):
            overlaps += [overlap(a, b) for a, b in zip(boxes, wanted, strict=True)]
        else:
            overlaps += [0.0] * len(wanted)
    scores["overlap_mean"] = round(float(np.mean(overlaps)), 4)
    scores["overlap_worst_tenth"] = round(float(np.quantile(overlaps, 0.1)), 4)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=360)
    parser.add_argument("--table", type=Path)
    asked = parser.parse_args()
    if asked.table:
        table = np.load(asked.table)["table"]
    else:
        from tests.train.drawing import glyph_table  # noqa: PLC0415 - PyMuPDF may be absent

        table = glyph_table()
    print(json.dumps(evaluate(asked.model, table, asked.count, asked.tokens)))


if __name__ == "__main__":
    main()
