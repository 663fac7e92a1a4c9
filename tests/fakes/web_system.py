"""The web front in a test: a real Sanic server, a real store, the broker's side of the events."""

import asyncio
import contextlib
import dataclasses
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zmq
from sanic import Sanic

from bus.codec import encode
from shared.blocks import Block, BlockType
from shared.messages import Publish, Table
from shared.records import Job, NewJob, PageResult, Settled
from shared.settings import Settings
from shared.states import PageState
from store.store import Store
from web.app import build_app

PDF_BYTES = b"%PDF-1.7\n" + b"0" * 4000
PNG_BYTES = b"\x89PNG\r\n\x1a\n" + b"1" * 3000


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A server with these settings; a client that talks to it."""
    Sanic.test_mode = True  # lets one process register the name more than once
    app = build_app(settings)
    server = await app.create_server(
        host=settings.host, port=settings.port, return_asyncio_server=True
    )
    await server.startup()
    await server.before_start()
    await server.after_start()
    url = f"http://{settings.host}:{settings.port}"
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
            yield client
    finally:
        await server.before_stop()
        await server.close()
        for connection in server.connections:
            connection.close_if_idle()
        await server.after_stop()
        Sanic.unregister_app(app)


class Bus:
    """The broker's side of the events: what it would publish, on a real socket."""

    def __init__(self, settings: Settings) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(settings.bus_events)

    async def wait_for_reader(self) -> None:
        while not self._socket.poll(0):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self._socket.recv()

    def send(self, message: Any) -> None:
        prefix, header = encode(message)[:2]
        self._socket.send_multipart([b"", prefix, header])

    def job(self, job: Job, pages: list[dict[str, Any]] = ()) -> None:
        shown = job.to_json()
        data = {"state": shown["state"], "counts": shown["counts"], "pages": list(pages)}
        self.send(Publish(job.id, "job", job.revision, data))

    def table(self, workers: list[dict[str, Any]] = (), queues: dict | None = None) -> None:
        self.send(
            Table(
                epoch="e1",
                time=1.0,
                uptime_seconds=5.0,
                workers=tuple(workers),
                queues=queues or {},
                counters={"requeued": 2},
            )
        )

    def close(self) -> None:
        self._socket.close(linger=0)
        self._context.term()


def worker(**more: Any) -> dict[str, Any]:
    """One process as the broker's table lists it."""
    return {
        "worker": "pymupdf-1",
        "role": "engine",
        "service": "recognize.pymupdf",
        "engine": "pymupdf",
        "pid": 4242,
        "host": "here",
        "state": "ready",
        "model_loaded": True,
        "pages_a_minute": 90.0,
        "capabilities": {
            "accepts": ["application/pdf"],
            "options": [
                {
                    "name": "ocr",
                    "type": "choice",
                    "default": "auto",
                    "help": "When to read pixels.",
                    "choices": ["auto", "always", "never"],
                },
                {"name": "dpi", "type": "int", "default": 200, "help": "", "choices": []},
            ],
        },
        **more,
    }


def add_job(store: Store, name: str = "report.pdf", **more: Any) -> Job:
    sha256, size = _blob(store, PDF_BYTES + name.encode())
    store.add_document(sha256, "application/pdf", size)
    (job,) = store.add_jobs([NewJob(sha256, name, **{"engine": "pymupdf", **more})])
    return job


def _blob(store: Store, data: bytes) -> tuple[str, int]:
    with store.blobs.writer() as writer:
        writer.write(data)
        return writer.commit()


def read_page(store: Store, job: Job, page: int, text: str, **more: Any) -> Job:
    """Commit one page as `collect` would."""
    figure = store.blobs.put(PNG_BYTES + str(page).encode())
    blocks = (
        Block(BlockType.HEADING, 0, (0.1, 0.1, 0.9, 0.2), f"Page {page}", level=1),
        Block(BlockType.TEXT, 1, (0.1, 0.2, 0.9, 0.5), text),
        Block(BlockType.FIGURE, 2, (0.1, 0.5, 0.9, 0.8), "A picture", image=figure),
    )
    result = PageResult(
        job=job.id,
        page=page,
        engine="pymupdf",
        blocks=blocks,
        markdown=f"# Page {page}\n\n{text}\n",
        text=f"Page {page}\n{text}",
        raw=b"\xff\xfe raw",
        raw_media_type="application/octet-stream",
        width=600.0,
        height=800.0,
        source="text_layer",
        images=(figure,),
    )
    settled = Settled(job.id, page, "pymupdf", PageState.DONE, milliseconds=12.5, result=result)
    (change,) = store.settle([dataclasses.replace(settled, **more)])
    return change.job


def finished_job(store: Store, pages: int = 3, name: str = "report.pdf") -> Job:
    job = add_job(store, name)
    store.start_job(job.id, pages, [(page, "pymupdf") for page in range(1, pages + 1)])
    store.add_page_images(
        job.document.id, {page: store.blobs.put(PNG_BYTES + b"view%d" % page) for page in (1, 2)}
    )
    for page in range(1, pages + 1):
        read_page(store, job, page, f"The quick brown fox number {page} 中文 jumps.")
    artifacts = {
        "md": store.blobs.put(b"# Page 1\n"),
        "json": store.blobs.put(b'{"schema": "quire/1"}'),
        "html": store.blobs.put(b"<!doctype html><h1>Page 1</h1>"),
        "txt": store.blobs.put(b"Page 1\n"),
    }
    return store.finish_job(job.id, artifacts)


def left_behind(settings: Settings) -> list[Path]:
    """Every file of documents and half uploads under the data directory."""
    return [
        path
        for folder in ("blobs", "tmp")
        for path in (settings.data / folder).rglob("*")
        if path.is_file()
    ]


def fill_disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=free))
