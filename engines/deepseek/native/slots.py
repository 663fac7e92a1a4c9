"""What the GPU knows of each running page: one row of a table of integers."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.deepseek.native.sizes import Sizes

# Columns of `Slots.fields`. A page is a row; the last row pads a step and is never active.
TOKEN = 0  # the newest token, which the next step reads
POSITION = 1  # where in the page its key and value will be written
ACTIVE = 2  # 1 while the page runs
MADE = 3  # tokens made so far, the newest included
LIMIT = 4  # tokens that may be made
FINISH = 5  # one of the values below
NGRAM = 6  # length of a run that may not come twice; 0 or 1: no ban
WINDOW = 7  # within so many of the last tokens
SEED = 8  # of the draws, where the temperature is not 0
TEMPERATURE = 9  # in thousandths
FREE = 10  # the first of `FREE_TOKENS` tokens that no ban concerns; -1: none
FREE_TOKENS = 4
COLUMNS = 16

RUNNING, STOPPED, LIMITED = 0, 1, 2  # FINISH


@dataclass(frozen=True, slots=True)
class SlotState:
    """What a page starts with: see the columns. `tokens` were made before (after a preemption)."""

    slot: int
    context: int
    limit: int
    ngram: int
    window: int
    free: tuple[int, ...]
    seed: int
    temperature: float
    tokens: tuple[int, ...]
    blocks: tuple[int, ...]

    def row(self) -> list[int]:
        """The row of `Slots.fields`. A new page's first token is chosen from its prompt's logits:
        its position stands one before the end, because choosing moves it on.
        """
        made = len(self.tokens)
        free = [*self.free[:FREE_TOKENS], *[-1] * FREE_TOKENS][:FREE_TOKENS]
        return [
            self.tokens[-1] if made else 0,
            self.context if made else self.context - 1,
            1,
            made,
            self.limit,
            RUNNING,
            self.ngram,
            self.window,
            self.seed,
            round(self.temperature * 1000),
            *free,
            *[0] * (COLUMNS - FREE - FREE_TOKENS),
        ]


class Slots:
    """The table and what goes with it, on the device.

    `fields` [slots+1, COLUMNS] int32; `history` [slots+1, max_tokens] int32, tokens made;
    `tables` [slots+1, blocks_per_page] int32, the page's blocks in order.
    """

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        rows = sizes.slots + 1

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int32, device=device)

        self.fields = zeros(rows, COLUMNS)
        self.history = zeros(rows, sizes.max_tokens)
        self.tables = zeros(rows, sizes.blocks_per_page)
        self.padding = sizes.slots  # the row that is never active
        self.block_tokens = sizes.block_tokens
        self._device = device

    def start(self, pages: Sequence[SlotState]) -> None:
        """Write the rows of pages that have just been admitted."""
        rows = self.upload([page.slot for page in pages]).long()
        self.fields[rows] = self.upload([page.row() for page in pages])
        widest = max(len(page.blocks) for page in pages)
        blocks = [[*page.blocks, *[0] * (widest - len(page.blocks))] for page in pages]
        self.tables[rows, :widest] = self.upload(blocks)
        for page in pages:
            if page.tokens:
                self.history[page.slot, : len(page.tokens)] = self.upload(list(page.tokens))

    def extend(self, entries: Sequence[tuple[int, int, int]]) -> None:
        """Write new blocks into tables: (slot, index, block)."""
        if entries:
            slot, index, block = self.upload(
                [list(column) for column in zip(*entries, strict=True)]
            )
            self.tables[slot.long(), index.long()] = block

    def upload(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """A small int32 tensor on the device, without waiting for what the GPU is doing."""
        pinned = self._device.type == "cuda"
        host = torch.tensor(values, dtype=torch.int32, pin_memory=pinned)
        return host.to(self._device, non_blocking=True)
