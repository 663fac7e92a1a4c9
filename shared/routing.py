"""Which engine reads a page and why, and what became of earlier attempts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

AUTO = "auto"
CPU_ENGINE = "pymupdf"  # always there; reads text layers

# Steps of the ladder, as `rung` names them.
FIRST = ""  # as asked, or what auto chose
SAMPLING = "sampling"  # the same engine with other sampling
PROMPT = "prompt"  # the same engine with another prompt
ENGINE = "engine"  # another engine, because the answer was refused
TEXT_LAYER = "text_layer"  # the page's own text
OUTAGE = "outage"  # another engine, because the first took no such pages
FALLBACKS = frozenset({ENGINE, TEXT_LAYER, OUTAGE})
RUNGS = (SAMPLING, PROMPT, ENGINE, TEXT_LAYER, OUTAGE)

# What the quality gate finds, how an attempt without an accepted answer ended, and the words that
# a page is marked with.
FINDINGS = ("loop", "cut", "empty", "blank")
OUTCOMES = ("refused", "failed", "crashed", "outside", "outage")
MARKS = (
    "queued",
    "running",
    "done",
    "retried",
    "fallback",
    "failed",
    "quarantined",
    "cancelled",
)

# What may move a page that waits for an engine without a ready process.
STAYS = ""  # nothing: the engine was asked for by name
MOVES_TO_READY = "to_ready"  # another engine that takes pages
MOVES_ALWAYS = "always"  # also none: then it ends with the best answer that it has


@dataclass(frozen=True, slots=True)
class Route:
    """Where a page goes, and what is known of it. Travels with the page's task and its answer.

    `choice` says why in a sentence. `options` are those that its rung sets beside the job's.
    `turn` counts the answers that the quality gate has refused before: one that belongs to an
    earlier turn moves the page no further. `engines` took pages when the route was chosen.
    `text` is the kind of text layer: sound, hidden (invisible, or under a scan) or "".
    `ink` is how much is on the page (see `stages.reader.ink`), negative when nobody looked.
    """

    engine: str
    choice: str = ""
    rung: str = FIRST
    options: Mapping[str, Any] = field(default_factory=dict)
    turn: int = 0
    engines: tuple[str, ...] = ()
    text: str = ""
    ink: float = -1.0
    moves: str = STAYS

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a message's header or a column."""
        return {
            "engine": self.engine,
            "choice": self.choice,
            "rung": self.rung,
            "options": dict(self.options),
            "turn": self.turn,
            "engines": list(self.engines),
            "text": self.text,
            "ink": self.ink,
            "moves": self.moves,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], engine: str) -> Self:
        """Read what `to_json` wrote; what is missing stays at its default, `engine` too."""
        ink = float(data.get("ink", -1.0))
        return cls(
            engine=str(data.get("engine") or engine),
            choice=str(data.get("choice", "")),
            rung=str(data.get("rung", FIRST)),
            options=dict(data.get("options", {})),
            turn=int(data.get("turn", 0)),
            engines=tuple(str(name) for name in data.get("engines", ())),
            text=str(data.get("text", "")),
            ink=ink if math.isfinite(ink) else -1.0,
            moves=str(data.get("moves", STAYS)),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at a page that gave no accepted answer.

    `outcome` is refused (by the quality gate), failed (the engine refused the page), crashed,
    outside (not the page's fault) or outage (the engine took no such pages). `finding` names what
    the gate found. `text` is what the engine said, where it is kept and was asked for; `answer` the
    whole answer (`shared.page_codec.pack`) where it may still be taken for want of a better one.
    `at` is Unix seconds.
    """

    engine: str
    outcome: str
    reason: str = ""
    reason_type: str = ""
    rung: str = FIRST
    finding: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    milliseconds: float | None = None
    worker: str = ""
    at: float = 0.0
    has_text: bool = False
    text: str | None = None
    answer: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """The attempt as the API lists it."""
        return {
            "engine": self.engine,
            "rung": self.rung or "first",
            "outcome": self.outcome,
            "finding": self.finding or None,
            "reason": self.reason or None,
            "reason_type": self.reason_type or None,
            "options": dict(self.options),
            "milliseconds": self.milliseconds,
            "worker": self.worker or None,
            "at": self.at,
            "has_text": self.has_text,
        }
