"""Heads for training only: they ask the model's inner parts what stands where on the page."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from tests.train.pages import MOST_CHARACTERS, MOST_LINES
from tests.train.training_batches import GRID

PARTS = GRID * GRID
SLOTS = 2  # characters whose middle can lie in one part
_BLANK_WEIGHT = 0.1  # most parts are empty


@dataclass(frozen=True, slots=True)
class Spots:
    """What the heads are to say.

    `glyphs` (pages, PARTS, SLOTS) are tokens, 0 where nothing stands; `line` and `column` (pages,
    PARTS) are those of the first character in a part, -1 where none stands, and `within` (pages,
    PARTS, 2) its middle in the part. `token_part`, `token_line` and `token_column` (pages, length)
    belong to the tokens of the answer, -1 for what is not drawn.
    """

    glyphs: torch.Tensor
    line: torch.Tensor
    column: torch.Tensor
    within: torch.Tensor
    token_part: torch.Tensor
    token_line: torch.Tensor
    token_column: torch.Tensor


def find_spots(tokens: torch.Tensor, spots: torch.Tensor, space: int) -> Spots:
    """From `tokens` and `spots` of a batch; `space` is the token that leaves no ink."""
    count = len(tokens)
    cell = spots[..., :2].floor().clamp(0, GRID - 1).long()
    drawn = spots[..., 0] >= 0
    part = torch.where(drawn, cell[..., 1] * GRID + cell[..., 0], -1)
    line = spots[..., 2].long()
    column = spots[..., 3].long()
    page, place = (drawn & (tokens != space)).nonzero(as_tuple=True)
    key = page * PARTS + part[page, place]
    slot = torch.zeros_like(key)
    slot[1:] = (key[1:] == key[:-1]).long()
    glyphs = torch.zeros(count * PARTS * SLOTS, dtype=torch.long, device=tokens.device)
    glyphs[key * SLOTS + slot] = tokens[page, place]
    first = slot == 0
    page, place, key = page[first], place[first], key[first]
    firsts = torch.full((3, count * PARTS), -1, dtype=torch.long, device=tokens.device)
    firsts[0, key] = line[page, place]
    firsts[1, key] = column[page, place]
    within = torch.zeros(count * PARTS, 2, device=tokens.device)
    within[key] = spots[page, place, :2] - cell[page, place]
    return Spots(
        glyphs.view(count, PARTS, SLOTS),
        firsts[0].view(count, PARTS),
        firsts[1].view(count, PARTS),
        within.view(count, PARTS, 2),
        part,
        line,
        column,
    )


class Lookers(torch.nn.Module):
    """The heads, each one linear layer.

    Two say which characters stand in a part, one from SAM's map and one from the query of that
    part; the query also says in which line and column its first character is, and where in the
    part. From the middle of the text part one says in which line and column the next character
    stands, from its end one in which part. They were brought in together with more text on a page
    and larger views: which of it made the model learn was not tried one by one.
    """

    def __init__(self, width: int, queries: int, text: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.from_map = torch.nn.Linear(width, SLOTS * classes)
        self.from_queries = torch.nn.Linear(queries, SLOTS * classes)
        self.place = torch.nn.Linear(queries, MOST_LINES + MOST_CHARACTERS + 2)
        self.next_place = torch.nn.Linear(text, MOST_LINES + MOST_CHARACTERS)
        self.next_part = torch.nn.Linear(text, PARTS)
        weight = torch.ones(classes)
        weight[0] = _BLANK_WEIGHT
        self.register_buffer("weight", weight)

    def vision_losses(
        self, seen: torch.Tensor, answers: torch.Tensor, spots: Spots
    ) -> dict[str, torch.Tensor]:
        """`seen` (pages, width, GRID, GRID), `answers` (pages, PARTS, queries)."""
        heads = {"map": (self.from_map, seen.flatten(2).transpose(1, 2))}
        heads["queries"] = (self.from_queries, answers)
        losses = {
            name: functional.cross_entropy(
                head(values).float().view(-1, self.classes), spots.glyphs.flatten(), self.weight
            )
            for name, (head, values) in heads.items()
        }
        line, column, within = self._split(self.place(answers).float())
        there = (spots.line >= 0)[..., None]
        off = ((within - spots.within).square() * there).sum() / there.sum()
        losses["place"] = _hit(line, spots.line) + _hit(column, spots.column) + 4 * off
        return losses

    def text_losses(
        self, middle: torch.Tensor, last: torch.Tensor, spots: Spots
    ) -> dict[str, torch.Tensor]:
        """`middle` and `last` (pages, length - 1, text): at each token but the last of a batch."""
        line, column, _ = self._split(self.next_place(middle).float())
        placed = _hit(line, spots.token_line[:, 1:]) + _hit(column, spots.token_column[:, 1:])
        part = _hit(self.next_part(last).float(), spots.token_part[:, 1:])
        return {"next_place": placed, "next_part": part}

    @staticmethod
    def _split(said: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return said.tensor_split((MOST_LINES, MOST_LINES + MOST_CHARACTERS), dim=-1)


def _hit(said: torch.Tensor, wanted: torch.Tensor) -> Any:
    return functional.cross_entropy(said.flatten(0, 1), wanted.flatten(), ignore_index=-1)
