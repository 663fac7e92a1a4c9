"""Trains the tiny DeepSeek-OCR-2 that reads: `python -m tests.train.train_tiny_ocr --out DIR`.

Needs one GPU for some minutes. The table of glyphs comes from PyMuPDF, or
with --table from a file (`--save-table FILE` writes one) where that is not installed.
"""

import argparse
import json
import math
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional

from tests.train.glyphs import GLYPHS, ORIGIN, PLACES, SIZES, Painter
from tests.train.pages import ADVANCE, DPI, PAGE_PIXELS
from tests.train.tiny_model import BOS, ENCODER, IMAGE_TOKENS, SAM, TEXT, make_model, save_model
from tests.train.training_batches import GRID, Batches, PageBatch

WARM_UP_STEPS = 200
SLOTS = 2  # characters that begin in one part
_BLANK_WEIGHT = 0.1  # most parts are empty


class Lookers(torch.nn.Module):
    """Heads for training only: which characters stand in which part of the page.

    Without them nothing tells the vision part what a character is before the text part can use
    it, nor the text part to look before there is something to see: the loss stays where guessing
    letters puts it for thousands of steps. One reads the map of SAM, one the queries' answers, and
    one says from the text part where the next character stands.
    """

    def __init__(self, width: int, queries: int, text: int) -> None:
        super().__init__()
        self.classes = len(GLYPHS) + 1
        self.per_cell = (GRID // (PAGE_PIXELS // 64)) ** 2
        self.from_map = torch.nn.Linear(width, self.per_cell * SLOTS * self.classes)
        self.from_queries = torch.nn.Linear(queries, SLOTS * self.classes)
        self.from_text = torch.nn.Linear(text, GRID * GRID)

    def loss(self, seen: torch.Tensor, answers: torch.Tensor, wanted: torch.Tensor) -> Any:
        """`seen` (pages, width, side, side), `answers` (pages, 144, queries), `wanted` as below."""
        count, _, side, _ = seen.shape
        part = GRID // side
        said = self.from_map(seen.permute(0, 2, 3, 1)).view(
            count, side, side, part, part, SLOTS, self.classes
        )
        said = said.transpose(2, 3).reshape(-1, self.classes)
        weight = torch.ones(self.classes, device=seen.device)
        weight[0] = _BLANK_WEIGHT
        queried = self.from_queries(answers).view(-1, self.classes)
        return sum(
            functional.cross_entropy(one.float(), wanted.flatten(), weight)
            for one in (said, queried)
        )

    def next_loss(self, hidden: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
        """`hidden` (pages, length, text) and where the token after each stands, or -1."""
        said = self.from_text(hidden).float()
        return functional.cross_entropy(said.flatten(0, 1), parts.flatten(), ignore_index=-1)


def parts_of(rows: torch.Tensor, count: int) -> torch.Tensor:
    """(pages, GRID, GRID, SLOTS): 0, or the number of the glyph plus 1, from rows of `entries`."""
    page, entry, x, y = rows.long().unbind(1)
    glyph = entry // PLACES % len(GLYPHS)
    size = torch.tensor(SIZES, device=rows.device)[entry // PLACES // len(GLYPHS)] * DPI / 72
    part = PAGE_PIXELS / GRID
    column = ((x + ORIGIN[0] + ADVANCE / 2 * size) / part).long().clamp(0, GRID - 1)
    row = ((y + ORIGIN[1] - 0.25 * size) / part).long().clamp(0, GRID - 1)
    key = (page * GRID + row) * GRID + column
    slot = torch.zeros_like(key)
    slot[1:] = (key[1:] == key[:-1]).long()
    wanted = torch.zeros(count * GRID * GRID * SLOTS, dtype=torch.long, device=rows.device)
    wanted[key * SLOTS + slot] = glyph + 1
    return wanted.view(count, GRID, GRID, SLOTS)


def _all_experts(self: Any, hidden: Any, chosen: Any, weights: Any) -> Any:
    """What the chosen experts say, by asking all: with few of them one product is faster."""
    share = torch.zeros(len(hidden), self.num_experts, dtype=weights.dtype, device=hidden.device)
    share = share.scatter(1, chosen, weights)
    gate, up = torch.einsum("nh,eoh->eno", hidden, self.gate_up_proj).chunk(2, dim=-1)
    said = torch.einsum("eni,ehi->enh", self.act_fn(gate) * up, self.down_proj)
    return (said * share.t()[:, :, None]).sum(0).to(hidden.dtype)


def losses_of(
    model: Any, lookers: Lookers, painter: Painter, batch: PageBatch, noise: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The loss of the answers, that of the lookers, and the share of tokens told right."""
    device = next(model.parameters()).device
    rows = torch.from_numpy(batch.rows).to(device, non_blocking=True)
    tokens = torch.from_numpy(batch.tokens).to(device, non_blocking=True)
    count = len(tokens)
    levels = painter.paint(rows, count)
    levels = (levels + noise * torch.randn_like(levels)).clamp(0, 255)
    pixels = ((levels / 255 - 0.5) / 0.5)[:, None].expand(-1, 3, -1, -1)
    core = model.model
    seen: list[torch.Tensor] = []
    hook = core.vision_tower.sam_encoder.register_forward_hook(
        lambda _module, _args, out: seen.append(out.last_hidden_state)
    )
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        answers = core.vision_tower(pixels).last_hidden_state
        hook.remove()
        looked = lookers.loss(seen[0], answers, parts_of(rows, count))
        embed = model.get_input_embeddings()
        begin = torch.full((count, 1), BOS, device=device)
        pieces = [
            embed(begin),
            core.multi_modal_projector(answers),
            core.view_separator.expand(count, 1, -1),
            embed(tokens[:, :-1].clamp(min=0)),
        ]
        hidden = core.language_model(
            inputs_embeds=torch.cat([piece.float() for piece in pieces], 1), use_cache=False
        ).last_hidden_state
        hidden = hidden[:, IMAGE_TOKENS + 1 :]
        logits = model.lm_head(hidden).float()
        parts = torch.from_numpy(batch.parts).to(device, non_blocking=True)
        looked = looked + 0.5 * lookers.next_loss(hidden, parts[:, 1:])
    wanted = tokens[:, 1:].clone()
    wanted[:, : batch.prompt - 1] = -1
    loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=-1)
    asked = wanted >= 0
    right = ((logits.argmax(-1) == wanted) & asked).sum() / asked.sum()
    return loss, looked, right


def train(
    model: Any, painter: Painter, batches: Batches, seconds: float, peak: float, log: Any
) -> None:
    """Train for so long; the rate falls to nothing at the end."""
    width = SAM["downsample_channels"][-1]
    lookers = Lookers(width, ENCODER["hidden_size"], TEXT["hidden_size"])
    lookers.to(next(model.parameters()).device)
    weights = [*model.parameters(), *lookers.parameters()]
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": 0.02},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), fused=weights[0].is_cuda)
    started = time.monotonic()
    share, step = 0.0, 0
    while share < 1:
        batch = batches.take()
        rate = peak * min(1, (step + 1) / WARM_UP_STEPS)
        rate *= 0.5 * (1 + math.cos(math.pi * max(0.0, (share - 0.3) / 0.7)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, looked, right = losses_of(model, lookers, painter, batch, noise=4.0)
        optimizer.zero_grad(set_to_none=True)
        (loss + looked).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        step += 1
        share = (time.monotonic() - started) / seconds
        if step % 50 == 0:
            row = {"step": step, "seconds": round(share * seconds, 1), "task": batch.task}
            row |= {"loss": round(loss.item(), 4), "looked": round(looked.item(), 4)}
            row |= {"right": round(right.item(), 4), "rate": rate}
            print(json.dumps(row), file=log, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=360)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="a model to go on from")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--save-table", type=Path)
    asked = parser.parse_args()
    if asked.table:
        table = np.load(asked.table)["table"]
    else:
        from tests.train.drawing import glyph_table  # noqa: PLC0415 - PyMuPDF may be absent

        table = glyph_table()
    if asked.save_table:
        np.savez_compressed(asked.save_table, table=table)
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.backends.cuda.matmul.allow_tf32 = True
    model = make_model(asked.seed)
    if asked.start:
        model.load_state_dict(load_file(asked.start / "model.safetensors"))
    model = model.to(device).train()
    for layer in model.model.language_model.layers:
        experts = getattr(layer.mlp, "experts", None)
        if experts is not None:
            experts.forward = types.MethodType(_all_experts, experts)
    asked.out.mkdir(parents=True, exist_ok=True)
    batches = Batches(asked.seed, asked.batch, asked.processes)
    try:
        with (asked.out / "training.jsonl").open("w", encoding="utf-8") as log:
            train(model, Painter(table, device), batches, asked.seconds, asked.rate, log)
    finally:
        batches.close()
    save_model(model.eval(), asked.out)
    print(f"written to {asked.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
