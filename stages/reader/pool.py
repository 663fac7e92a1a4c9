"""A few open documents at a time, because chunks of several jobs come in turn."""

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from stages.reader.document import DocumentReader
from stages.reader.terms import ReaderLimits

IDLE_SECONDS = 10.0  # without a chunk: the engine of its job is slow, or busy with others
REMEMBERED = 256  # closed readers kept: they cost nothing and know which documents were given up


class ReaderPool:
    """Readers by document id, at most `children` of them with a process.

    To start one costs as much as four pages, and more jobs than that are read in turns: so where
    none has been idle for long, the newest ends and the others keep theirs, since with the oldest
    each would be gone when its turn comes.

    Not thread-safe: it belongs to the thread that reads documents. `clock` tells seconds.
    """

    def __init__(
        self,
        limits: ReaderLimits,
        *,
        children: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._children = children
        self._clock = clock
        self._used: dict[str, float] = {}  # when, by document id
        self._readers: OrderedDict[str, DocumentReader] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, document_id: str, path: Path) -> DocumentReader:
        """The reader of a document; of the others a child beyond the limit ends."""
        reader = self._readers.get(document_id)
        if reader is None:
            reader = self._readers[document_id] = DocumentReader(path, self._limits)
        self._readers.move_to_end(document_id)
        self._used[document_id] = now = self._clock()
        others = [name for name, r in self._readers.items() if r is not reader and r.child_pid]
        while len(others) >= self._children:
            is_idle = now - self._used[others[0]] >= IDLE_SECONDS
            self._readers[others.pop(0 if is_idle else -1)].close()
        while len(self._readers) > REMEMBERED:
            self.evict(next(iter(self._readers)))
        return reader

    def evict(self, document_id: str) -> None:
        """Forget a document and end its child."""
        self._used.pop(document_id, None)
        reader = self._readers.pop(document_id, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """End all children. The pool may be used again."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._used.clear()
