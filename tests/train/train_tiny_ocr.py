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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional

from tests.train.glyphs import Painter
from tests.train.lookers import Lookers, find_spots
from tests.train.tiny_model import (
    BOS,
    ENCODER,
    IMAGE_TOKENS,
    SAM,
    TEXT,
    VIEW_PIXELS,
    make_model,
    make_tokenizer,
    save_model,
    save_weights,
)
from tests.train.training_batches import Batches, PageBatch

WARM_UP_STEPS = 300
LEVEL_SHARE = 0.5
LOOKERS_WEIGHT = 0.5
NOISE_LEVELS = 4.0
LOG_STEPS = 50
KEEP_SECONDS = 60


def _all_experts(self: Any, hidden: Any, chosen: Any, weights: Any) -> Any:
    """What the chosen experts say, by asking all: with few of them one product is faster."""
    share = torch.zeros(len(hidden), self.num_experts, dtype=weights.dtype, device=hidden.device)
    share = share.scatter(1, chosen, weights)
    gate, up = torch.einsum("nh,eoh->eno", hidden, self.gate_up_proj).chunk(2, dim=-1)
    said = torch.einsum("eni,ehi->enh", self.act_fn(gate) * up, self.down_proj)
    return (said * share.t()[:, :, None]).sum(0).to(hidden.dtype)


@dataclass(frozen=True, slots=True)
class Losses:
    """Of one batch: of the answers, of each looker; the share of tokens told right."""

    answer: torch.Tensor
    lookers: dict[str, torch.Tensor]
    right: torch.Tensor

    def row(self) -> dict[str, float]:
        """For the log."""
        values = {"loss": self.answer, "right": self.right, **self.lookers}
        return {name: round(value.item(), 4) for name, value in values.items()}


def enlarged(levels: torch.Tensor) -> torch.Tensor:
    """(pages, side, side) to (pages, VIEW_PIXELS, VIEW_PIXELS), as Pillow does.

    Its cubic is the one of `antialias`; across before down, and what overshoots is cut each time.
    """
    views = levels[:, None]
    for size in ((levels.shape[1], VIEW_PIXELS), (VIEW_PIXELS, VIEW_PIXELS)):
        views = functional.interpolate(views, size, mode="bicubic", antialias=True).clamp(0, 255)
    return views[:, 0]


class Trainee:
    """The model with its lookers on a device, and what is drawn for it."""

    def __init__(self, model: Any, painter: Painter, device: torch.device) -> None:
        self.model, self._painter, self._device = model, painter, device
        tokenizer = make_tokenizer()
        self._space = tokenizer.token_to_id(" ")
        widths = SAM["downsample_channels"][-1], ENCODER["hidden_size"], TEXT["hidden_size"]
        self.lookers = Lookers(*widths, tokenizer.get_vocab_size()).to(device)
        self._seen: dict[str, torch.Tensor] = {}
        core = model.model
        core.vision_tower.sam_encoder.register_forward_hook(
            lambda _module, _args, out: self._seen.update(map=out.last_hidden_state)
        )
        core.language_model.layers[1].register_forward_hook(
            lambda _module, _args, out: self._seen.update(middle=out)
        )

    def _pixels(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        levels = self._painter.paint(rows, count)
        levels = levels + NOISE_LEVELS * torch.randn_like(levels)
        return ((enlarged(levels) / 255 - 0.5) / 0.5)[:, None].expand(-1, 3, -1, -1)

    def losses(self, batch: PageBatch) -> Losses:
        """Ask for the answers of all pages at once."""
        rows, tokens, places = (
            torch.from_numpy(part).to(self._device, non_blocking=True)
            for part in (batch.rows, batch.tokens, batch.spots)
        )
        spots = find_spots(tokens, places, self._space)
        count = len(tokens)
        pixels = self._pixels(rows, count)
        core, kind = self.model.model, self._device.type
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            answers = core.vision_tower(pixels).last_hidden_state
            looked = self.lookers.vision_losses(self._seen.pop("map"), answers, spots)
            embed = self.model.get_input_embeddings()
            pieces = [
                embed(torch.full((count, 1), BOS, device=self._device)),
                core.multi_modal_projector(answers),
                core.view_separator.expand(count, 1, -1),
                embed(tokens[:, :-1].clamp(min=0)),
            ]
            hidden = core.language_model(
                inputs_embeds=torch.cat([piece.float() for piece in pieces], 1), use_cache=False
            ).last_hidden_state[:, IMAGE_TOKENS + 1 :]
            middle = self._seen.pop("middle")[:, IMAGE_TOKENS + 1 :]
            looked |= self.lookers.text_losses(middle, hidden, spots)
            logits = self.model.lm_head(hidden).float()
        wanted = tokens[:, 1:].clone()
        wanted[:, : batch.prompt - 1] = -1
        loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=-1)
        asked = wanted >= 0
        right = ((logits.argmax(-1) == wanted) & asked).sum() / asked.sum()
        return Losses(loss, looked, right)


def rate_at(share: float, step: int, peak: float) -> float:
    """The learning rate: up within WARM_UP_STEPS, level, then down to nothing by a cosine."""
    fallen = max(0.0, (share - LEVEL_SHARE) / (1 - LEVEL_SHARE))
    return peak * min(1, (step + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * fallen))


def train(trainee: Trainee, batches: Batches, seconds: float, peak: float, out: Path) -> None:
    """Train for so long; what was learned is kept every KEEP_SECONDS."""
    weights = [*trainee.model.parameters(), *trainee.lookers.parameters()]
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": 0.02},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), fused=weights[0].is_cuda)
    batch = batches.take()  # the first one waits for the processes to start
    started = time.monotonic()
    share, step, kept, waited = 0.0, 0, 0.0, 0.0
    with (out / "training.jsonl").open("w", encoding="utf-8") as log:
        while share < 1:
            rate = rate_at(share, step, peak)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses = trainee.losses(batch)
            optimizer.zero_grad(set_to_none=True)
            (losses.answer + LOOKERS_WEIGHT * sum(losses.lookers.values())).backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            step += 1
            before = time.monotonic()
            task, batch = batch.task, batches.take()
            now = time.monotonic()
            waited += now - before
            share = (now - started) / seconds
            if step % LOG_STEPS == 0:
                row = {"step": step, "seconds": round(now - started, 1), "task": task}
                row |= losses.row() | {"rate": round(rate, 7), "waited": round(waited, 1)}
                print(json.dumps(row), file=log, flush=True)
            if now - started - kept > KEEP_SECONDS:
                kept = now - started
                save_weights(trainee.model, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=360)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="a training that was cut off")
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
    torch.backends.cudnn.benchmark = True
    model = make_model(asked.seed)
    if asked.start:
        model.load_state_dict(load_file(asked.start / "model.safetensors"))
    model = model.to(device).train()
    for layer in model.model.language_model.layers:
        experts = getattr(layer.mlp, "experts", None)
        if experts is not None:
            experts.forward = types.MethodType(_all_experts, experts)
    asked.out.mkdir(parents=True, exist_ok=True)
    trainee = Trainee(model, Painter(table, device), device)
    batches = Batches(asked.seed, asked.batch, asked.processes)
    try:
        train(trainee, batches, asked.seconds, asked.rate, asked.out)
    finally:
        batches.close()
    save_model(model.eval(), asked.out)
    print(f"written to {asked.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
