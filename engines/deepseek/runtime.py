"""What runs the model: the boundary between the engine and its runtimes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.errors import OutsideFailed, PageFailed

# Why a text ended, as `PageOutput.finish_reason`.
STOP, LENGTH, LOOP, BROKEN = "stop", "length", "loop", "broken"

NGRAM = 20  # the model's authors ban a repeated run of 20 to 30 tokens ...
NGRAM_WINDOW = 90  # ... within the last 50 to 90, so that tables may still repeat their rows


@dataclass(frozen=True, slots=True)
class Request:
    """One page for a runtime.

    `pixels` are RGB8 rows, top to bottom, no padding, of `width` x `height`. `prompt` has one
    `<image>`. `view` is the side of the square that shows the whole page, in pixels (0: the
    model's own); with `tiles` the page is also cut into tiles where it is larger than one. A run
    of `ngram` tokens (0: no ban) does not come twice within the last `ngram_window` tokens that
    were made, unless its last token is in `ngram_free`. `temperature` 0 takes the likeliest token.
    """

    key: str
    pixels: bytes | memoryview
    width: int
    height: int
    prompt: str
    view: int = 0
    tiles: bool = True
    max_tokens: int = 8192
    ngram: int = NGRAM
    ngram_window: int = NGRAM_WINDOW
    ngram_free: tuple[int, ...] = ()
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Generation:
    """What came out for one page.

    `text` has the model's special tokens in it, but not the end of sequence. `tokens` were made.
    `finish_reason` is STOP at an end of sequence, LENGTH at `max_tokens`, LOOP when the runtime
    gave up on a text that repeats itself, BROKEN when a server ended it for any other reason or
    for none that it tells. `timings` are milliseconds by step.
    """

    key: str
    text: str
    tokens: int
    finish_reason: str
    timings: Mapping[str, float] = field(default_factory=dict)


class RequestFeed(Protocol):
    """Where a runtime takes its pages from; the shape of `shared.ocr_backend.PageFeed`."""

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Request]:
        """Up to `limit` pages. Waits for the first one: without a limit, or for so many seconds
        (0: only what is here). [] when none came in time, or when none will come any more.
        """

    @property
    def closed(self) -> bool:
        """No more pages will come: finish what was taken and return."""

    def set_capacity(self, pages: int) -> None:
        """How many pages this runtime can hold now, those that it has taken included."""


Outcome = Generation | tuple[str, OutsideFailed | PageFailed]


class Runtime(ABC):
    """Runs one model. All calls come from one thread, `details` and `trouble` from any."""

    name: str
    capacity = 1  # pages that it takes at once, to begin with

    @abstractmethod
    def load(self) -> None:
        """Make ready; may be called again. OutsideFailed says what is missing and what to do."""

    @abstractmethod
    def run(self, feed: RequestFeed, progress: Callable[[], None]) -> Iterator[Outcome]:
        """Yield an outcome for each page taken, in any order, until the feed is closed.

        A failure names its page: (key, error). `progress` is called whenever work has moved on.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the model."""

    def ids_of(self, *tokens: str) -> tuple[int, ...]:
        """The ids of those tokens that the model has; () where that is not known here."""
        del tokens
        return ()

    def details(self) -> Mapping[str, Any]:
        """What health shows: device, precision, model."""
        return {}

    def trouble(self) -> str:
        """Why it cannot answer now although it was loaded, and what to do; else empty."""
        return ""
