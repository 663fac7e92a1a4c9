"""A whole system of real processes without the web front, on ipc addresses of its own."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pymupdf
import zmq.asyncio

from bus.client import BusClient
from bus.supervisor_link import SupervisorLink
from deploy.broker_line import BrokerLine
from deploy.plan import processes_of
from deploy.supervisor import Supervisor
from shared.health import BusTable
from shared.media import sniff_media_type
from shared.records import Job, NewJob
from shared.settings import Settings, load_settings
from store import Store

ROOT = Path(__file__).resolve().parents[2]
TEXT_ENGINE = "text=tests.fakes.engines:TextEngine"


@dataclass
class System:
    """The running system and ways to use it."""

    settings: Settings
    store: Store
    bus: BusClient
    supervisor: Supervisor
    log: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def submit(self, data: bytes, name: str = "a.pdf", **kind: Any) -> Job:
        """Store a document and start a job on it."""
        with self.store.blobs.writer() as writer:
            writer.write(data)
            sha256, size = writer.commit()
        media_type = sniff_media_type(data[:4096]) or "application/octet-stream"
        self.store.add_document(sha256, media_type, size)
        new = NewJob(document_id=sha256, document_name=name, **{"engine": "text", **kind})
        return await self.add(new)

    async def add(self, new: NewJob) -> Job:
        """Start a job on a stored document."""
        [job] = self.store.add_jobs([new])
        await self.bus.submit(job)
        return job

    async def until(self, job: Job, reached: Callable[[Job], bool], seconds: float = 40) -> Job:
        """The job once it is so; looks at each event of the bus (a table comes each second)."""
        async with asyncio.timeout(seconds):
            while True:
                job = self.store.job(job.id)
                if reached(job):
                    return job
                async with self.changed:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.changed.wait(), 1.0)

    async def finished(self, job: Job, seconds: float = 40) -> Job:
        """The job once it is final."""
        return await self.until(job, lambda now: now.state.is_final, seconds)

    async def made(self, job: Job, kind: str, seconds: float = 40) -> Job:
        """The job once a wish of it is fulfilled; its failure is one of the test."""
        async with asyncio.timeout(seconds):
            while (wish := self.store.wish(job.id, kind)) is not None:
                assert wish.failure is None, wish.failure
                async with self.changed:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.changed.wait(), 1.0)
        return self.store.job(job.id)

    async def table(self, ready: Callable[[BusTable], bool], seconds: float = 20) -> BusTable:
        """The broker's table once it is so."""
        async with asyncio.timeout(seconds):
            while self.bus.table is None or not ready(self.bus.table):
                async with self.changed:
                    await self.changed.wait()
            return self.bus.table

    def pid(self, name: str) -> int:
        """The process that the supervisor started under this name."""
        return next(c.pid for c in self.supervisor._children.values() if c.spec.name == name)

    def kill(self, name: str) -> None:
        """End it without a word."""
        os.kill(self.pid(name), signal.SIGKILL)


@contextlib.asynccontextmanager
async def run_system(
    within: Sequence[str] = (), *, web: bool = False, log: list[str] | None = None, **flags: Any
) -> AsyncIterator[System]:
    """Start a system; nothing of it is left afterwards. What it logs goes to the end of `log`.

    `within` is a program that runs each of its processes, such as `ip netns exec`. The door of
    their bus may be out of reach then; their events, on ipc, are not.
    """
    with tempfile.TemporaryDirectory(prefix="quire-test-") as folder:
        settings = load_settings(
            {
                "data": Path(folder) / "data",
                "bus": f"ipc://{folder}/bus",
                "bus_events": f"ipc://{folder}/events",
                "engines": "text",
                "engine_classes": TEXT_ENGINE,
                "backoff_seconds": 0.05,
                **flags,
            },
            environ={},
        )
        store = Store.open(settings)
        lines: list[str] = [] if log is None else log
        specs = [
            replace(spec, command=(*within, *spec.command))
            for spec in processes_of(settings, web=web)
        ]
        here = replace(settings, bus=f"ipc://{folder}/nobody") if within else settings
        context = zmq.asyncio.Context()
        loop = asyncio.get_running_loop()
        line = BrokerLine(
            lambda: SupervisorLink(zmq.Context.shadow(context.underlying), here),
            lambda pid, reason: loop.call_soon_threadsafe(supervisor.kill_hung, pid, reason),
        )
        supervisor = Supervisor(
            specs, lambda name, text: lines.append(f"{name}: {text}"), watcher=line
        )
        bus = BusClient(context, here)
        await bus.start()
        system = System(settings, store, bus, supervisor, lines)

        async def watch() -> None:
            async for _ in bus.watch():
                async with system.changed:
                    system.changed.notify_all()

        watching = asyncio.ensure_future(watch())
        serving = asyncio.ensure_future(supervisor.run())
        try:
            with line:
                try:
                    yield system
                except BaseException:
                    print("\n".join(lines[-60:]))
                    raise
                finally:
                    supervisor.stop()
                    await serving
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await bus.close()
            context.term()
            store.close()


BETTER_ENGINE = "better=tests.fakes.engines:BetterEngine"


def scan_of(*texts: str) -> bytes:
    """A PDF with one picture of a page for each text, and the text hidden under it."""
    document = pymupdf.open()
    for text in texts:
        with pymupdf.open() as drawn:
            drawn.new_page().insert_text((72, 72), text or " ")
            picture = drawn[0].get_pixmap(dpi=150).tobytes("png")
        page = document.new_page()
        page.insert_image(page.rect, stream=picture)
        page.insert_text((72, 72), text, render_mode=3)
    data: bytes = document.tobytes()
    document.close()
    return data


def join(*documents: bytes) -> bytes:
    """The pages of several PDFs, one after the other."""
    with pymupdf.open() as whole:
        for data in documents:
            with pymupdf.open(stream=data, filetype="pdf") as part:
                whole.insert_pdf(part)
        return bytes(whole.tobytes())


def pdf_of(*texts: str) -> bytes:
    """A PDF with one page for each text."""
    document = pymupdf.open()
    for text in texts:
        document.new_page().insert_text((72, 72), text)
    data: bytes = document.tobytes()
    document.close()
    return data
