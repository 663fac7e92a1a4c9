"""A few open documents at a time, because chunks of several jobs come in turn."""

from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Self

from stages.reader.document import DocumentReader
from stages.reader.terms import ReaderLimits

REMEMBERED = 256  # closed readers kept: they cost nothing and know which documents were given up


class ReaderPool:
    """Readers by document id, the most recently used `children` of them with a process.

    Not thread-safe: it belongs to the thread that reads documents.
    """

    def __init__(self, limits: ReaderLimits, *, children: int = 2) -> None:
        self._limits = limits
        self._children = children
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
        """The reader of a document; the least recently used children beyond the limit end."""
        reader = self._readers.get(document_id)
        if reader is None:
            reader = self._readers[document_id] = DocumentReader(path, self._limits)
        self._readers.move_to_end(document_id)
        live = [r for r in reversed(self._readers.values()) if r is reader or r.child_pid]
        for old in live[self._children :]:
            old.close()
        while len(self._readers) > REMEMBERED:
            self._readers.popitem(last=False)[1].close()
        return reader

    def evict(self, document_id: str) -> None:
        """Forget a document and end its child."""
        reader = self._readers.pop(document_id, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """End all children. The pool may be used again."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
