"""Keeps the logits of every token that the native runtime makes, also those of recorded graphs."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from engines.deepseek.native import runner
from engines.deepseek.native import slots as field
from engines.deepseek.native.decoder import Decoder
from engines.deepseek.native.graphs import Steps
from engines.deepseek.native.scheduler import Growth, Scheduler
from engines.deepseek.native.slots import SlotState


class Recorder:
    """`logits` [pages + 1, tokens, V] float32 by page and token; the last page is nobody's.

    A page is known by its `ngram_window`, which has no effect while `ngram` is 1. `graphs` are the
    batch sizes that steps ran in, `preempted` how often a page was sent back for room.
    """

    def __init__(self, pages: int, tokens: int, vocabulary: int, device: torch.device) -> None:
        self.logits = torch.zeros(pages + 1, tokens, vocabulary, device=device)
        self.graphs: set[int] = set()
        self.preempted = 0

    def keep(self, pages: Tensor, made: Tensor, logits: Tensor) -> None:
        """Of a token of each of some pages, [B] and [B, V]."""
        self.logits[pages.long(), made.long()] = logits.float()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Runners that are made meanwhile are recorded."""
        kept = self

        class Recorded(Decoder):
            """Writes what it makes into the record, as part of a step."""

            def step(self, rows: Tensor) -> Tensor:
                fields = self._slots.fields[rows.long()]  # as they were before the choice
                active = fields[:, field.ACTIVE] == 1
                page = torch.where(active, fields[:, field.WINDOW], len(kept.logits) - 1)
                made = torch.where(active, fields[:, field.MADE], 0)
                logits = super().step(rows)
                kept.keep(page, made, logits)
                return logits

            def read_in(self, pages: Sequence[SlotState], embeddings: Sequence[Tensor]) -> Tensor:
                logits = super().read_in(pages, embeddings)
                for page, scores in zip(pages, logits, strict=True):
                    if not page.tokens:
                        kept.logits[page.window, 0] = scores.float()
                return logits

        class Counted(Steps):
            """Notes the sizes of the batches."""

            def run(self, count: int) -> None:
                kept.graphs.add(self._size)
                super().run(count)

        class Watched(Scheduler):
            """Notes who is sent back."""

            def grow(self, steps: int) -> Growth:
                growth = super().grow(steps)
                kept.preempted += len(growth.preempted)
                return growth

        parts: dict[str, Any] = {"Decoder": Recorded, "Steps": Counted, "Scheduler": Watched}
        with ExitStack() as stack:
            for name, part in parts.items():
                stack.enter_context(patch.object(runner, name, part))
            yield
