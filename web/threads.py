"""The store is synchronous: its calls run in a bounded pool of threads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 8  # SQLite readers run side by side; more only wait for the two or three cores


class StoreThreads:
    """Runs blocking calls beside the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a blocking call; its error is raised here."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(function, *args, **kwargs))

    async def stream(self, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        """The parts one by one, each made only when the one before was taken."""
        try:
            while (part := await self.run(next, parts, None)) is not None:
                yield part
        finally:
            close = getattr(parts, "close", None)  # generators free their files here
            if close is not None:
                await self.run(close)

    def close(self) -> None:
        """Wait for the calls that run, take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
