"""The boundary behind which every OCR engine lives."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.blocks import PageOutput
from shared.errors import OutsideFailed, PageFailed

PDF = "application/pdf"
RGB = "application/x-quire-rgb8"  # height x width x 3 bytes, rows top to bottom, no padding


@dataclass(frozen=True, slots=True)
class PageInput:
    """One page as handed to an engine.

    `data` is a one-page PDF, or pixels as RGB (`width` x `height` pixels, 3 bytes each) at `dpi`
    (0 when unknown: a photograph). `key` comes back with the answer. `options` are those of the
    job for this engine, already checked against `Capabilities.options`.
    """

    key: str
    media_type: str
    data: bytes | memoryview
    width: int = 0
    height: int = 0
    dpi: float = 0.0
    page: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineOption:
    """One option that a job may set for an engine. `type` is bool, int, float, str or choice."""

    name: str
    type: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine takes.

    `accepts` in order of preference (PDF, RGB); `dpi` at which pages are rendered for RGB;
    `max_pixels` of such an image; `batch` pages given at once; `prefetch` pages kept waiting in
    the process beside them; `concurrent` when it takes new pages while it works. `retry_options`
    lists (rung, options) that may be set for another attempt at a page whose answer was refused:
    `sampling` (the same prompt, drawn otherwise) or `prompt`, in the order to try them.
    `lasting` when a process of it does not grow with its pages and loading is dear: it starts anew
    for its memory only, not after so many pages.
    """

    accepts: tuple[str, ...] = (PDF, RGB)
    dpi: int = 200
    max_pixels: int = 40_000_000
    batch: int = 1
    prefetch: int = 1
    concurrent: bool = False
    options: tuple[EngineOption, ...] = ()
    retry_options: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """`status` is healthy, degraded or unhealthy; `message` says why and what to do."""

    status: str
    model_loaded: bool
    gpu_available: bool
    backend: str
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


Answer = PageOutput | PageFailed | OutsideFailed


class PageFeed(ABC):
    """The pages for one call of `recognize`, as they arrive. For one thread.

    A page that was taken counts as begun: when the process ends from then on, it may be charged.
    Iterating takes one page after the other and ends when no more will come.
    """

    @abstractmethod
    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[PageInput]:
        """Up to `limit` pages. Waits for the first one: without a limit, or for so many seconds
        (0: only what is here). [] when none came in time, or when none will come any more.
        """

    @property
    @abstractmethod
    def closed(self) -> bool:
        """No more pages will come: finish what was taken and return."""

    @abstractmethod
    def set_capacity(self, pages: int) -> None:
        """How many pages the engine can hold now, those that it has taken included."""

    def __iter__(self) -> Iterator[PageInput]:
        while taken := self.take():
            yield from taken


class PageBatch(PageFeed):
    """Pages that are all here already."""

    def __init__(self, pages: Iterable[PageInput]) -> None:
        self._pages = deque(pages)

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[PageInput]:
        """Up to `limit` of those that are left; never waits."""
        del timeout_seconds
        return [self._pages.popleft() for _ in range(min(limit, len(self._pages)))]

    @property
    def closed(self) -> bool:
        """Whether all were taken."""
        return not self._pages

    def set_capacity(self, pages: int) -> None:
        """Nothing follows from it."""


class OCRBackend(ABC):
    """One model in one process. All calls come from one thread, `health` from any."""

    name: str
    version: str

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What it takes. Known before `load`."""

    @abstractmethod
    def load(self) -> None:
        """Make ready; may be called again. OutsideFailed: weights, GPU or memory are missing."""

    @abstractmethod
    def health(self) -> EngineHealth:
        """The truth about this engine now. Cheap; never blocks."""

    @abstractmethod
    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        """Yield (key, answer) for each page of the feed, in any order.

        An engine whose capabilities say `concurrent` is called once and takes pages while others
        run, until the feed is closed; any other one is called for each batch. `progress` is called
        whenever work has moved on (a step, a batch, a token): a page during which it stands still
        past its deadline is taken for hung and the process is killed. An error that is raised is
        an answer for all pages without one.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the model. Called once."""
