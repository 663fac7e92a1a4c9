"""Documents, jobs and results for tests that use a real store."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared.blocks import Block, BlockType
from shared.records import Job, NewJob, PageResult, Settled
from shared.settings import Settings
from shared.states import PageState
from store import Store

ENGINE = "pymupdf"
PDF = "application/pdf"


def open_store(data: Path, url: str = "") -> Store:
    return Store.open(Settings(data=data, database_url=url))


def upload(store: Store, data: bytes = b"%PDF a book") -> str:
    sha256 = store.blobs.put(data)
    store.add_document(sha256, PDF, len(data))
    return sha256


def queued(
    store: Store, name: str = "a book.pdf", data: bytes = b"%PDF a book", **values: Any
) -> Job:
    values.setdefault("engine", ENGINE)
    new = NewJob(document_id=upload(store, data), document_name=name, **values)
    return store.add_jobs([new])[0]


def started(store: Store, pages: int = 2, engines: Sequence[str] = (), **values: Any) -> Job:
    if engines:
        values["engine"] = ",".join(engines)
    job = queued(store, **values)
    tasks = [(page, name) for page in range(1, pages + 1) for name in engines or (ENGINE,)]
    return store.start_job(job.id, pages, tasks)


def finished(store: Store, texts: Sequence[str] = ("some words",), **values: Any) -> Job:
    job = started(store, pages=len(texts), **values)
    store.settle([done(job, page, text) for page, text in enumerate(texts, start=1)])
    return store.finish_job(job.id, {"md": store.blobs.put("\n".join(texts).encode())})


def result(
    job: Job | str, page: int, text: str = "some words", engine: str = ENGINE, **values: Any
) -> PageResult:
    block = Block(BlockType.TEXT, 0, (0.1, 0.1, 0.9, 0.2), text, engine=engine)
    plain: dict[str, Any] = {
        "blocks": (block,),
        "markdown": text + "\n",
        "text": text,
        "raw": b'{"raw": true}',
        "raw_media_type": "application/json",
        "width": 595.0,
        "height": 842.0,
        "source": "ocr",
    }
    job_id = job if isinstance(job, str) else job.id
    return PageResult(job=job_id, page=page, engine=engine, **(plain | values))


def done(
    job: Job | str, page: int, text: str = "some words", engine: str = ENGINE, **values: Any
) -> Settled:
    answer = result(job, page, text, engine, **values)
    return Settled(answer.job, page, engine, PageState.DONE, milliseconds=12.5, result=answer)


def failed(job: Job, page: int, reason: str = "It is blank.", engine: str = ENGINE) -> Settled:
    state = PageState.FAILED
    return Settled(job.id, page, engine, state, attempts=3, reason=reason, reason_type="refused")


def blobs_on_disk(data: Path) -> set[str]:
    return {path.name for path in (data / "blobs").rglob("*") if path.is_file()}


def blobs_in_rows(data: Path) -> set[str]:
    """What the rows of a SQLite data directory name, read without the store's code."""
    connection = sqlite3.connect(data / "quire.db")
    try:
        rows = connection.execute(
            "SELECT id FROM documents UNION SELECT sha256 FROM page_images"
            " UNION SELECT sha256 FROM result_images UNION SELECT sha256 FROM artifacts"
        )
        return {row[0] for row in rows}
    finally:
        connection.close()


def row_counts(data: Path) -> Mapping[str, int]:
    """Rows by table of a SQLite data directory."""
    tables = [
        "documents",
        "jobs",
        "job_engines",
        "pages",
        "attempts",
        "results",
        "result_images",
        "page_images",
        "artifacts",
        "page_search",
    ]
    connection = sqlite3.connect(data / "quire.db")
    try:
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in tables
        }
    finally:
        connection.close()


@contextmanager
def statements_of(store: Store) -> Iterator[list[str]]:
    """All that SQLite runs meanwhile, values written out, for connections taken meanwhile."""
    engine = store._database.engine
    ran: list[str] = []

    def listen(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        connection.set_trace_callback(ran.append)

    def leave(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(None)

    sa.event.listen(engine, "checkout", listen)
    sa.event.listen(engine, "checkin", leave)
    try:
        yield ran
    finally:
        sa.event.remove(engine, "checkout", listen)
        sa.event.remove(engine, "checkin", leave)
