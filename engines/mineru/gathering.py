"""Which of the pages that wait are read together, as one document."""

from collections.abc import Callable

from engines.mineru.reading import Reading
from shared.ocr_backend import Answer, PageFeed, PageInput

MOST_BYTES = 64 * 2**20  # of the PDFs of one document: they are there twice while it is made

Prepare = Callable[[PageInput], Reading | Answer]


class Gatherer:
    """Takes pages from a feed. Only pages that are here are put together: none waits for others.

    `gathers` says whether the last page was one that is read with others.
    """

    def __init__(self, feed: PageFeed, prepare: Prepare) -> None:
        self._feed = feed
        self._prepare = prepare
        self._held: Reading | None = None
        self._refused: list[tuple[str, Answer]] = []
        self.gathers = False

    def __len__(self) -> int:
        """Pages that were taken and are not given out yet: one at most."""
        return int(self._held is not None)

    def take(self, most: int, timeout_seconds: float | None) -> list[Reading]:
        """The next document: one page, or up to `most` scans that go with it.

        Waits for the first page as PageFeed.take does. [] when none came, or it was refused.
        """
        first, self._held = self._held or self._next(timeout_seconds), None
        if first is None:
            return []
        self.gathers = first.company is not None
        gathered, size = [first], len(first.pdf)
        while self.gathers and len(gathered) < most:
            reading = self._next(0.0)
            if reading is None:
                break
            size += len(reading.pdf)
            if size > MOST_BYTES or reading.company != first.company:
                self._held = reading
                break
            gathered.append(reading)
        return gathered

    def refusals(self) -> list[tuple[str, Answer]]:
        """The answers, since the last call, for pages that need no reading."""
        refused, self._refused = self._refused, []
        return refused

    def _next(self, timeout_seconds: float | None) -> Reading | None:
        for page in self._feed.take(1, timeout_seconds):
            prepared = self._prepare(page)
            if isinstance(prepared, Reading):
                return prepared
            self._refused.append((page.key, prepared))
        return None
