"""MinerU in a process that may take only a little more memory than it has, while a file says so."""

import resource
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psutil

from engines.mineru.backend import MinerUEngine
from shared.ocr_backend import Answer, PageFeed
from shared.settings import MIB, Settings

ROOM_MIB = 24  # less than the pixels of a large page take


class ShortOfMemory(MinerUEngine):
    """The shortage is a real one: the system refuses memory to the process (RLIMIT_AS)."""

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        super().__init__(settings, gpu)
        self._mark = settings.data / "short"

    def recognize(
        self, pages: PageFeed, progress: Callable[[], None]
    ) -> Iterator[tuple[str, Answer]]:
        assert self._tiers is not None
        reader = self._tiers._reader
        read_pages = reader.read

        async def read(readings: Sequence[Any], *more: Any) -> Any:
            if not self._mark.exists():
                return await read_pages(readings, *more)
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            limit = psutil.Process().memory_info().vms + ROOM_MIB * MIB
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
            try:
                return await read_pages(readings, *more)
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, hard))

        reader.read = read
        try:
            yield from super().recognize(pages, progress)
        finally:
            reader.read = read_pages
