"""What a worker is given, and what it has answered."""

from dataclasses import dataclass
from typing import Any

from shared.messages import Result, Task


@dataclass(frozen=True, slots=True)
class Delivery:
    """A task (or, for collect, a result) with its payload as memory views."""

    message: Task | Result
    payload: tuple[memoryview, ...]


@dataclass(slots=True)
class OpenAnswer:
    """An answer that is not committed yet."""

    lease: int
    frames: list[Any]
    sent_at: float
