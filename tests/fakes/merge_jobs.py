"""Jobs, results and an in-memory blob store for tests of rendering and merging."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from shared.blocks import Block, BlockType
from shared.records import Counts, Document, Job, PageResult, PageTask
from shared.states import JobState, Lane, Origin, PageState


def block(kind: str, order: int, content: str, **values: Any) -> Block:
    top = min(0.2 + 0.05 * order, 0.8)
    values.setdefault("bbox", (0.1, top, 0.9, top + 0.02))
    return Block(type=BlockType(kind), order=order, content=content, **values)


def job(engine: str = "fake", name: str = "a book.pdf") -> Job:
    document = Document("d" * 64, name, "application/pdf", 10, None)
    return Job(
        id="j",
        document=document,
        state=JobState.RUNNING,
        engine=engine,
        options={},
        pages="",
        lane=Lane.INTERACTIVE,
        origin=Origin.RECOGNIZE,
        parent=None,
        reuse=False,
        counts=Counts(),
        failure=None,
        revision=1,
        created=1.0,
        started=2.0,
    )


def task(page: int, engine: str = "fake", state: str = "done", reason: str = "") -> PageTask:
    return PageTask("j", page, engine, PageState(state), reason=reason)


def result(page: int, blocks: Sequence[Block], engine: str = "fake") -> PageResult:
    return PageResult(
        job="j",
        page=page,
        engine=engine,
        blocks=tuple(blocks),
        markdown="",
        text="",
        raw=b"{}",
        raw_media_type="application/json",
        width=600.0,
        height=800.0,
    )


def pages(*of: Sequence[Block]) -> tuple[Callable[[], Iterator[PageResult]], list[PageTask]]:
    """(results, tasks) of a job whose pages hold these blocks."""
    made = [result(number, blocks) for number, blocks in enumerate(of, 1)]
    return lambda: iter(made), [task(number) for number in range(1, len(of) + 1)]


class MemoryBlobs:
    """Keeps committed blobs; the real store's contract as far as merging needs it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.kept: dict[str, bytes] = {}
        self.aborted = 0
        self._folder = folder

    def writer(self) -> "MemoryWriter":
        return MemoryWriter(self)

    def path(self, sha256: str) -> Path:
        return (self._folder or Path("/nonexistent")) / sha256


class MemoryWriter:
    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._parts: list[bytes] = []
        self._committed = False

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def commit(self) -> tuple[str, int]:
        data = b"".join(self._parts)
        sha256 = hashlib.sha256(data).hexdigest()
        self._blobs.kept[sha256] = data
        self._committed = True
        return sha256, len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._blobs.aborted += not self._committed
