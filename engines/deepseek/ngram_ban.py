"""No run of tokens twice within a window: on the device, for all pages of a batch at once."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class NgramBan:
    """The ban of one page: see `Request`. `free` tokens may always come."""

    ngram: int
    window: int
    free: tuple[int, ...] = ()


@dataclass(slots=True)
class NgramBans:
    """The bans of a batch, pages with the same rule together."""

    bans: list[NgramBan]
    _free: dict[tuple[int, ...], Any] = field(default_factory=dict)

    def apply(self, logits: Any, made: Any) -> None:
        """Put -inf where a token would end a run that is in the window.

        `logits` (pages, vocabulary), changed in place; `made` (pages, n) token ids, the latest
        last. What is looked for are the last `ngram` - 1 tokens; all places are compared at once.
        """
        groups: dict[tuple[int, int, tuple[int, ...]], list[int]] = {}
        for row, ban in enumerate(self.bans):
            if ban.ngram > 1 and made.shape[1] >= ban.ngram:
                groups.setdefault((ban.ngram, ban.window, ban.free), []).append(row)
        for (ngram, window, free), rows in groups.items():
            self._apply(logits, made, rows, NgramBan(ngram, window, free))

    def keep(self, rows: list[int]) -> None:
        """Only these pages go on."""
        self.bans = [self.bans[row] for row in rows]

    def _apply(self, logits: Any, made: Any, rows: list[int], ban: NgramBan) -> None:
        import torch  # noqa: PLC0415 - heavy, and optional

        everyone = len(rows) == logits.shape[0]
        index = None if everyone else torch.tensor(rows, device=logits.device)
        recent = made if index is None else made[index]
        runs = recent[:, -ban.window :].unfold(1, min(ban.ngram, ban.window), 1)
        if runs.shape[2] < ban.ngram:
            return
        latest = recent[:, None, recent.shape[1] - ban.ngram + 1 :]
        repeats = (runs[:, :, :-1] == latest).all(-1)
        ends = runs[:, :, -1]
        if ban.free:
            repeats &= ~torch.isin(ends, self._tensor(ban.free, logits.device))
        scores = logits if index is None else logits[index]
        banned = scores.gather(1, ends).masked_fill(repeats, float("-inf"))
        # the least of all that is said of a token: the same one may end several runs
        scores.scatter_reduce_(1, ends, banned, "amin")
        if index is not None:
            logits[index] = scores

    def _tensor(self, free: tuple[int, ...], device: Any) -> Any:
        import torch  # noqa: PLC0415 - heavy, and optional

        if free not in self._free:
            self._free[free] = torch.tensor(free, device=device)
        return self._free[free]
