"""`quire ocr`: files in, Markdown out, through the same bus and stages as a server."""

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from deploy.engine_names import require_known_engines
from deploy.log_lines import Say, Terminal
from deploy.ocr_output import OcrOutput
from deploy.private_system import PrivateSystem, private_system
from deploy.progress import JobProgress
from deploy.supervisor import require_supervision
from shared.errors import OutsideFailed, QuireError, Refused
from shared.events import JobEvent
from shared.health import BusTable
from shared.media import HEAD_BYTES, sniff_media_type
from shared.page_ranges import parse_pages
from shared.records import Job, NewJob
from shared.settings import Settings, parse_engine
from shared.states import JobState, PageState

if TYPE_CHECKING:
    from store.store import Store

_LOOK_SECONDS = 1.0  # the store is asked this often even when no event came: events may be lost
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OcrRequest:
    """What was asked for on the command line. `output` None: to stdout."""

    files: tuple[str, ...]
    output: str | None = None
    engine: str = "auto"
    pages: str = ""
    format: str = "md"
    overwrite: bool = False
    verbose: bool = False


def run_ocr(settings: Settings, request: OcrRequest) -> int:
    """Convert every file; 1 when one failed. QuireError when the system itself cannot run."""
    require_supervision()
    parse_pages(request.pages)
    settings = with_engines(settings, request.engine)
    require_known_engines(settings, "QUIRE_ENGINES" if request.engine == "auto" else "--engine")
    output = OcrOutput(request.output, request.format, overwrite=request.overwrite)
    terminal = Terminal(sys.stderr)
    say: Say = terminal if request.verbose else lambda _role, _line: None
    return asyncio.run(Conversion(settings, request, output).run(say))


def with_engines(settings: Settings, engine: str) -> Settings:
    """The settings with the engines that a job needs; those of QUIRE_ENGINES keep their GPU."""
    if engine == "auto":
        return settings
    wanted = [name.strip() for name in engine.split(",")]
    configured = {parse_engine(text).name: text for text in settings.engines}
    return replace(settings, engines=tuple(configured.get(name, name) for name in wanted))


class JobOutput(Protocol):
    """Where a finished job goes."""

    def write(self, store: "Store", job: Job, name: str, ended: Callable[[], bool], /) -> str:
        """Take the job of the file `name`; what was made of it, "" for nothing to tell.

        `ended` says whether the system has ended: nothing more is to be waited for.

        OSError, QuireError: it could not be written.
        """
        ...


class Conversion:
    """All files of one command."""

    def __init__(self, settings: Settings, request: OcrRequest, output: JobOutput) -> None:
        self._settings = settings
        self._request = request
        self._output = output
        self._changed = asyncio.Event()
        self._dirty: set[str] = set()
        self._blocked = ""
        self._failed = 0

    async def run(self, say: Say) -> int:
        """The exit code."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        interrupts = 0

        def on_signal() -> None:
            nonlocal interrupts
            interrupts += 1
            if interrupts == 1:  # the context managers clean up; a second one is not heard
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        try:
            async with private_system(self._settings, say) as system:
                with JobProgress() as progress:
                    await self._convert(system, progress)
        except asyncio.CancelledError:
            print("quire: interrupted", file=sys.stderr)
            return 130
        return 1 if self._failed else 0

    async def _convert(self, system: PrivateSystem, progress: JobProgress) -> None:
        names: dict[str, str] = {}
        watching = asyncio.ensure_future(self._watch(system))
        try:
            for name in self._request.files:
                try:
                    job = await asyncio.to_thread(self._add, system.store, name)
                except (QuireError, OSError) as error:
                    reason = error.strerror if isinstance(error, OSError) else str(error)
                    self._fail(progress, name, reason or str(error))
                    continue
                names[job.id] = name
                progress.add(job.id, name)
                await system.bus.submit(job)
            self._dirty |= set(names)
            await self._follow(system, progress, names)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _add(self, store: "Store", name: str) -> Job:
        path = Path(name)
        if path.is_dir():
            raise Refused("is a folder; name its files", code="not_a_document")
        if path.stat().st_size > self._settings.max_file_bytes:
            raise Refused(
                f"is larger than {self._settings.max_file_bytes} bytes (--max-file-bytes)",
                code="too_large",
            )
        with path.open("rb") as file, store.blobs.writer() as writer:
            head = file.read(HEAD_BYTES)
            media_type = sniff_media_type(head)
            if media_type is None:
                raise Refused("is no document that quire can read", code="not_a_document")
            writer.write(head)
            while chunk := file.read(_CHUNK_BYTES):
                writer.write(chunk)
            document_id, size = writer.commit()
        store.add_document(document_id, media_type, size)
        new = NewJob(document_id, path.name, engine=self._request.engine, pages=self._request.pages)
        return store.add_jobs([new])[0]

    async def _watch(self, system: PrivateSystem) -> None:
        async for event in system.bus.watch():
            if isinstance(event, JobEvent):
                self._dirty.add(event.job)
                self._changed.set()
            else:
                self._blocked = _blocked_engines(event, self._settings)
                if self._blocked:
                    self._changed.set()

    async def _follow(
        self, system: PrivateSystem, progress: JobProgress, names: dict[str, str]
    ) -> None:
        unfinished = dict(names)
        while unfinished:
            changed = asyncio.ensure_future(self._changed.wait())
            ends: list[asyncio.Future[Any]] = [changed, system.ended]
            await asyncio.wait(
                ends,
                timeout=_LOOK_SECONDS if not self._dirty else 0,
                return_when=asyncio.FIRST_COMPLETED,
            )
            changed.cancel()
            if system.ended.done():
                return  # private_system says why
            if self._blocked:
                raise OutsideFailed(self._blocked)
            look = (self._dirty & set(unfinished)) or set(unfinished)
            self._changed.clear()
            self._dirty.clear()
            for job_id in sorted(look):
                job = await asyncio.to_thread(system.store.job, job_id)
                progress.show(job.id, job.counts)
                if job.state.is_final:
                    name = unfinished.pop(job.id)
                    await asyncio.to_thread(self._finish, system, progress, job, name)

    def _finish(self, system: PrivateSystem, progress: JobProgress, job: Job, name: str) -> None:
        """Write what a job gave and say what it did not."""
        if job.state is not JobState.DONE:
            self._fail(progress, name, job.failure.message if job.failure else job.state.value)
            return
        failed = [p for p in system.store.pages(job.id) if p.state is PageState.FAILED]
        try:
            written = self._output.write(system.store, job, name, system.ended.done)
        except (OSError, QuireError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._fail(progress, name, f"cannot be written: {reason}")
            return
        if written:
            plural = "" if job.counts.done == 1 else "s"
            progress.say(f"{name}: {job.counts.done} page{plural}, {written}")
        if failed:
            first = failed[0]
            self._fail(
                progress,
                name,
                f"{len(failed)} of {job.counts.total} pages failed "
                f"(page {first.page}: {first.reason})",
            )

    def _fail(self, progress: JobProgress, name: str, reason: str) -> None:
        self._failed += 1
        progress.say(f"{name}: {reason}")


def _blocked_engines(table: BusTable, settings: Settings) -> str:
    """Why nothing can go on, when every process of every engine says that it cannot work."""
    messages: list[str] = []
    for text in settings.engines:
        workers = table.of_engine(parse_engine(text).name)
        if not workers or any(worker.state != "blocked" for worker in workers):
            return ""
        messages.append(workers[0].message or f"The engine {workers[0].engine} cannot work.")
    return " ".join(messages)
