"""One page after the other on its way: where it goes, what it looks like, its bytes."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bus.worker import Worker
from engines.registry import make_engine, parse_raw
from shared.errors import Misconfigured, NotFound, PageFailed, QuireError, Refused
from shared.messages import PageReady, page_key
from shared.ocr_backend import Capabilities
from shared.page_codec import to_frames
from shared.records import Job, PageResult, PageTask
from shared.routing import AUTO, CPU_ENGINE, Route
from shared.settings import Settings, parse_engine
from shared.states import Origin
from stages.choice import Plan, choose, engine_options, known_options, moves_of, plan, rank
from stages.reader import DocumentReader, PageWant, ReaderPool
from stages.stored_answer import output_of
from store import Store

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.1  # a page waits so long for those behind it, to be written with them

UNKNOWN = Capabilities()  # of an engine that this host cannot make

PageKey = tuple[int, str]  # page number, what was asked for


@dataclass(slots=True)
class Chunk:
    """What is learned of the pages of one chunk: previews, ink, routes; and pages to be sent.

    A page is sent behind its preview's row: it may be read before this process has gone on, and a
    page that is read is not looked at again.
    """

    job: Job
    ready: Sequence[str]
    previews: dict[int, str] = field(default_factory=dict)
    inks: dict[int, float] = field(default_factory=dict)
    routes: dict[PageKey, Route] = field(default_factory=dict)
    waiting: list[tuple[PageReady, bytes]] = field(default_factory=list)
    waiting_since: float = 0.0


class PageSender:
    """Sends pages to the broker, or an answer where no engine is needed or none is left."""

    def __init__(
        self, settings: Settings, store: Store, worker: Worker, readers: ReaderPool
    ) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._readers = readers
        self._capabilities: dict[str, Capabilities] = {}

    def reader(self, job: Job) -> DocumentReader:
        """The job's document, open or to be opened."""
        return self._readers.get(job.document.id, self._store.blobs.path(job.document.id))

    def send(self, chunk: Chunk, task: PageTask, left: Sequence[str] = ()) -> None:
        """Send one page. `left` is the engine that it has just left because that takes none of its
        kind, and then others that would send it back.
        """
        job = chunk.job
        if job.origin is Origin.POSTPROCESS:
            self._send_reparsed(job, task)
            return
        if job.reuse and task.route is None and self._send_reused(chunk, task):
            return
        moves = moves_of(job, task.asked, self._settings)
        planned = plan(task, moves, chunk.ready, self._settings, left)
        if planned is None:
            gone = left[0]
            sentence = f"{gone} takes no such pages now, and no other engine is left for this one."
            self._fail(task, PageFailed(sentence, code="nothing_left"), gone)
            return
        try:
            self._send_read(chunk, task, planned, moves, left)
        except PageFailed as error:
            self._fail(task, error, planned.scan)
        except Refused as error:  # too late to refuse the document: other pages are read already
            self._fail(task, PageFailed(str(error), code=error.code), planned.scan)
        if chunk.waiting and time.monotonic() - chunk.waiting_since > GATHER_SECONDS:
            self._flush(chunk)

    def finish(self, chunk: Chunk) -> None:
        """Write what was learned and send what waits."""
        self._flush(chunk)
        if chunk.routes:
            self._store.note_routes(chunk.job.id, chunk.routes)

    def _flush(self, chunk: Chunk) -> None:
        if chunk.previews:
            self._store.add_page_images(chunk.job.document.id, chunk.previews, chunk.inks)
            chunk.previews.clear()
        for ready, data in chunk.waiting:
            self._worker.send(ready, [data])
        chunk.waiting.clear()

    def _send_read(
        self, chunk: Chunk, task: PageTask, planned: Plan, moves: str, left: Sequence[str]
    ) -> None:
        job = chunk.job
        stored, known_ink = self._store.page_look(job.document.id, task.page)
        seen = stored is not None or task.page in chunk.previews
        takes = self._takes(planned.scan)
        want = PageWant(
            accepts=takes.accepts,
            dpi=takes.dpi,
            max_pixels=takes.max_pixels,
            preview_pixels=0 if seen else self._settings.preview_pixels,
            sound_as_pdf=planned.takes_text,
        )
        payload = self.reader(job).page(task.page, want)
        ink = payload.ink
        if ink < 0:
            ink = chunk.inks.get(task.page, -1.0 if known_ink is None else known_ink)
        chunk.inks[task.page] = ink
        if payload.preview:
            chunk.previews[task.page] = self._store.blobs.put(payload.preview, durable=False)
        route = choose(planned, payload.text, ink, moves, self._settings, left)
        route = replace(route, engines=tuple(chunk.ready), text=payload.text, ink=ink)
        if route.engine != task.engine:  # else its row says so already
            chunk.routes[task.page, task.asked] = route
        header = {
            "media_type": payload.media_type,
            "width": payload.width,
            "height": payload.height,
            "dpi": payload.dpi,
            "page": task.page,
            "options": {**self._options(job, task, route.engine), **route.options},
            "attempts": task.attempts,
            "crashes": task.crashes,
            "route": route.to_json(),
        }
        key = page_key(job.id, task.page, task.asked)
        ready = PageReady(key, job.id, f"recognize.{route.engine}", header)
        if not chunk.waiting:
            chunk.waiting_since = time.monotonic()
        chunk.waiting.append((ready, payload.data))

    def _send_reused(self, chunk: Chunk, task: PageTask) -> bool:
        """Send identical work that is done already, of the best engine that has it."""
        engines = [task.asked]
        if task.asked == AUTO:
            configured = [parse_engine(text).name for text in self._settings.engines]
            engines = rank([*chunk.ready, *configured, CPU_ENGINE])
        for engine in engines:
            options = self._options(chunk.job, task, engine)
            found = self._store.reusable(chunk.job.document.id, task.page, engine, options)
            if found is not None:
                choice = f"{engine} has read this page before, with the same options."
                self._send_result(chunk.job, task, found, Route(engine, choice), found.job)
                return True
        return False

    def _send_reparsed(self, job: Job, task: PageTask) -> None:
        """Read the parent's raw output again, as if the engine had just answered."""
        assert job.parent is not None
        try:
            result = self._store.page_result(job.parent, task.page, task.asked)
        except NotFound as error:  # of the parent; this job's pages are there, and must end
            self._fail(task, PageFailed(str(error), code=error.code), task.engine)
            return
        try:
            # without raw output nothing was taken of what the engine said: the page is blank
            blocks = (
                parse_raw(result.engine, result.raw, result.options, self._settings)
                if result.raw
                else ()
            )
        except QuireError as error:
            self._fail(task, PageFailed(str(error), code=error.code), result.engine)
            return
        route = Route(result.engine, f"{result.engine} has read this page in the parent job.")
        self._send_result(job, task, replace(result, blocks=blocks), route, job.parent)

    def _send_result(
        self, job: Job, task: PageTask, result: PageResult, route: Route, reused_from: str
    ) -> None:
        header = {
            "milliseconds": 0.0,
            "attempts": 0,
            "worker": self._worker.name,
            "options": dict(result.options),
            "reused_from": reused_from,
            "route": replace(route, turn=task.turn).to_json(),
        }
        output = output_of(result, result.blocks, self._store)
        key = page_key(job.id, task.page, task.asked)
        self._worker.finish(key, 0, "done", header, to_frames(output))

    def _fail(self, task: PageTask, error: PageFailed, engine: str) -> None:
        """No engine can do anything for this page; where one did before, that may still count."""
        header = {
            "reason": str(error),
            "reason_type": error.code,
            "worker": self._worker.name,
            "attempts": max(1, task.attempts),
            "crashes": task.crashes,
            "final": True,
            "route": Route(engine, task.choice, task.rung, turn=task.turn).to_json(),
        }
        self._worker.finish(page_key(task.job, task.page, task.asked), 0, "failed", header)

    def _options(self, job: Job, task: PageTask, engine: str) -> dict[str, Any]:
        """What the job sets for this engine; of options for several engines those it knows."""
        options = engine_options(job.options)
        alone = task.asked == engine and len(job.engines) == 1
        if alone or (task.asked == engine and self._takes(engine) is UNKNOWN):
            return options
        return known_options(options, self._takes(engine))

    def _takes(self, engine: str) -> Capabilities:
        known = self._capabilities.get(engine)
        if known is None:
            try:
                known = make_engine(engine, self._settings, None).capabilities
            except Misconfigured as error:  # it has joined from another host
                log.warning("What %s takes is not known here: %s", engine, error)
                known = UNKNOWN
            self._capabilities[engine] = known
        return known
