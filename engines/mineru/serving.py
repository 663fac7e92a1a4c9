"""Keeps MinerU at work: pages out of a feed, as documents through it, answers back."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from engines.mineru.capabilities import SCANS_TOGETHER
from engines.mineru.flight import Flight
from engines.mineru.gathering import Gatherer
from engines.mineru.reading import Reading
from engines.mineru.room import Room
from shared.blocks import PageOutput
from shared.ocr_backend import Answer, PageFeed, PageInput

_GLANCE_SECONDS = 0.02  # for the next page while others run and there is room
_TICK_SECONDS = 0.5  # between signs of life while there is no room


class PageReader(Protocol):
    """What `Tiers` does with pages."""

    def prepare(self, page: PageInput) -> Reading | Answer:
        """The page as it is to be read, or the answer when there is no need to."""

    async def read(self, readings: Sequence[Reading]) -> Sequence[PageOutput]:
        """Read them as one document. Raises PageFailed or OutsideFailed."""

    def seconds_for(self, readings: Sequence[Reading]) -> float:
        """How long that may take."""


def serve(
    feed: PageFeed, reader: PageReader, documents: int, progress: Callable[[], None]
) -> Iterator[tuple[str, Answer]]:
    """Have so many documents read at the same time; yield each page as it is done.

    MemoryError when even one page alone runs out of memory.
    """
    room = Room(documents * SCANS_TOGETHER)
    gatherer = Gatherer(feed, reader.prepare)
    flight = Flight(reader.read, reader.seconds_for)
    try:
        while len(flight) or len(gatherer) or not feed.closed:
            # Scans are taken by the handful; other pages are left to whoever is free first.
            wanted = documents * SCANS_TOGETHER if gatherer.gathers else documents
            feed.set_capacity(min(room.pages, wanted))
            free = room.pages - flight.pages if len(flight) < documents else 0
            wait = _TICK_SECONDS
            if free > 0 and (len(gatherer) or not feed.closed):
                most = min(free, SCANS_TOGETHER)
                readings = gatherer.take(most, _GLANCE_SECONDS if len(flight) else None)
                if readings:
                    flight.start(readings)
                wait = 0.0
            landings = flight.finished(wait)
            if flight.moves:
                progress()
            yield from gatherer.refusals()
            for landing in landings:
                yield from landing.answers
                room.note(memory_ran_out=landing.memory_ran_out)
    finally:
        flight.close()
