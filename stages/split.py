"""The split stage: opens documents in sandboxed children and sends out their pages.

One task is a chunk of one job: the broker asks for the next one when it has room, so a book of
2,800 pages takes no more memory than one of 20, and a one-page upload waits for one chunk at most.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import zmq

from bus.worker import Delivery, Worker
from engines.registry import make_engine, parse_raw
from shared.blocks import Block, PageOutput
from shared.errors import NotFound, OutsideFailed, PageFailed, QuireError, Refused
from shared.merge_steps import OPTION as MERGE_SKIP
from shared.messages import Closed, PageReady, SplitDone, Task, page_key
from shared.ocr_backend import Capabilities
from shared.page_codec import to_frames
from shared.page_ranges import select_pages
from shared.records import Failure, Job, PageResult, PageTask
from shared.settings import Settings, parse_engine
from shared.states import Origin
from stages.reader import DocumentReader, PageWant, ReaderLimits, ReaderPool
from stages.work import LEAVE_SECONDS, Blockade, drain_on_signals, publish_job
from store import Store

log = logging.getLogger(__name__)

AUTO = "auto"
AUTO_ORDER = ("deepseek", "mineru", "pymupdf")  # best first; the CPU engine is always there
ALL_PAGES = 1_000_000  # more than any document may have


class Splitter:
    """Does the split tasks of one process."""

    def __init__(self, settings: Settings, store: Store, worker: Worker) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._blockade = Blockade(worker)
        self._readers = ReaderPool(ReaderLimits.of(settings), children=2)
        self._capabilities: dict[str, Capabilities] = {}

    def run(self) -> None:
        """Until the worker drains."""
        while deliveries := self._worker.take():
            for delivery in deliveries:
                self._one(delivery)

    def close(self) -> None:
        """End the reader's children."""
        self._readers.close()

    def _one(self, delivery: Delivery) -> None:
        task = delivery.message
        assert isinstance(task, Task)
        self._worker.begin(task)
        done = self._blockade.lifted("split", lambda: self._split(task))
        if done is not None:
            self._worker.send(SplitDone(task.key, task.lease, task.job, *done))
            self._worker.done(task.key)

    def _split(self, task: Task) -> tuple[tuple[int, str], bool]:
        """Do one chunk; its cursor, and whether no page is left."""
        cursor, finished = (0, ""), True
        try:
            job = self._store.job(task.job)
            if not job.state.is_final:
                cursor, finished = self._chunk(job, task)
            if finished:
                self._readers.evict(job.document.id)
            if self._store.job(task.job).state.is_final:
                self._worker.send(Closed((task.job,)))
        except NotFound:
            self._worker.send(Closed((task.job,)))
        except Refused as error:
            self._refuse(task.job, error)
        return cursor, finished

    def _refuse(self, job_id: str, error: Refused) -> None:
        log.info("job %s is refused: %s", job_id, error)
        job = self._store.fail_job(job_id, Failure(error.code, str(error)))
        publish_job(self._worker, job)
        self._worker.send(Closed((job_id,)))

    def _chunk(self, job: Job, task: Task) -> tuple[tuple[int, str], bool]:
        """Send the next pages; (cursor behind the last one, whether no page is left)."""
        if not job.counts.total:
            job = self._start(job, tuple(task.header.get("engines", ())))
            publish_job(self._worker, job)
        page, engine = task.header.get("cursor", (0, ""))
        limit = int(task.header.get("limit", self._settings.split_chunk_pages))
        tasks = self._store.pending(job.id, after=(int(page), str(engine)), limit=limit)
        cursor = (int(page), str(engine))
        previews: dict[int, str] = {}
        for page_task in tasks:
            self._send_page(job, page_task, previews)
            self._worker.progress()
            cursor = (page_task.page, page_task.engine)
        if previews:
            self._store.add_page_images(job.document.id, previews)
        return cursor, len(tasks) < limit

    # --- the first chunk -----------------------------------------------------------------

    def _start(self, job: Job, ready: tuple[str, ...]) -> Job:
        """Write the job's page rows. Refused when the document or the selection is."""
        if job.origin is Origin.POSTPROCESS:
            return self._start_postprocess(job)
        opened = self._reader(job).open()
        pages = select_pages(job.pages, opened.pages)
        engines = [self._resolve(name, ready) for name in job.engines]
        rows = [(page, engine) for page in pages for engine in dict.fromkeys(engines)]
        return self._store.start_job(job.id, opened.pages, rows)

    def _start_postprocess(self, job: Job) -> Job:
        assert job.parent is not None
        done = [task for task in self._store.pages(job.parent) if task.state.value == "done"]
        last = job.document.pages or max((task.page for task in done), default=1)
        chosen = set(select_pages(job.pages, last))
        rows = [(task.page, task.engine) for task in done if task.page in chosen]
        if not rows:
            raise Refused(
                "The job to post-process again has no finished page among those chosen. "
                "Replay it from recognize instead.",
                code="nothing_to_postprocess",
            )
        return self._store.start_job(job.id, last, rows)

    def _resolve(self, name: str, ready: tuple[str, ...]) -> str:
        """An engine's name for what was asked; auto takes the best that takes pages now."""
        if name != AUTO:
            return name
        configured = [parse_engine(text).name for text in self._settings.engines]
        for candidates in (ready, configured):
            for best in AUTO_ORDER:
                if best in candidates:
                    return best
        return AUTO_ORDER[-1]

    # --- one page ------------------------------------------------------------------------

    def _send_page(self, job: Job, task: PageTask, previews: dict[int, str]) -> None:
        options = options_for(job.options, task.engine)
        if job.origin is Origin.POSTPROCESS:
            self._send_reparsed(job, task)
            return
        if job.reuse:
            found = self._store.reusable(job.document.id, task.page, task.engine, options)
            if found is not None:
                self._send_result(job, task, found, options, reused_from=found.job)
                return
        if self._store.page_image(job.document.id, task.page) or task.page in previews:
            preview_pixels = 0
        else:
            preview_pixels = self._settings.preview_pixels
        takes = self._takes(task.engine)
        want = PageWant(
            accepts=takes.accepts,
            dpi=takes.dpi,
            max_pixels=takes.max_pixels,
            preview_pixels=preview_pixels,
        )
        try:
            payload = self._reader(job).page(task.page, want)
        except PageFailed as error:
            self._fail(task, error)
            return
        if payload.preview:
            previews[task.page] = self._store.blobs.put(payload.preview, durable=False)
        header = {
            "media_type": payload.media_type,
            "width": payload.width,
            "height": payload.height,
            "dpi": payload.dpi,
            "page": task.page,
            "options": options,
            "crashes": task.crashes,
        }
        key = page_key(job.id, task.page, task.engine)
        ready = PageReady(key, job.id, f"recognize.{task.engine}", header)
        self._worker.send(ready, [payload.data])

    def _send_reparsed(self, job: Job, task: PageTask) -> None:
        """Read the parent's raw output again, as if the engine had just answered."""
        assert job.parent is not None
        result = self._store.page_result(job.parent, task.page, task.engine)
        try:
            blocks = parse_raw(task.engine, result.raw, result.options, self._settings)
        except QuireError as error:
            self._fail(task, PageFailed(str(error), code=error.code))
            return
        fresh = replace(result, blocks=blocks)
        self._send_result(job, task, fresh, result.options, reused_from=job.parent)

    def _send_result(
        self,
        job: Job,
        task: PageTask,
        result: PageResult,
        options: Mapping[str, Any],
        *,
        reused_from: str,
    ) -> None:
        header = {
            "milliseconds": 0.0,
            "attempts": 0,
            "worker": self._worker.name,
            "options": dict(options),
            "reused_from": reused_from,
        }
        output = output_of(result, result.blocks, self._store)
        key = page_key(job.id, task.page, task.engine)
        self._worker.finish(key, 0, "done", header, to_frames(output))

    def _fail(self, task: PageTask, error: PageFailed) -> None:
        header = {"reason": str(error), "reason_type": error.code, "worker": self._worker.name}
        self._worker.finish(page_key(task.job, task.page, task.engine), 0, "failed", header)

    def _reader(self, job: Job) -> DocumentReader:
        path = self._store.blobs.path(job.document.id)
        return self._readers.get(job.document.id, path)

    def _takes(self, engine: str) -> Capabilities:
        known = self._capabilities.get(engine)
        if known is None:
            known = make_engine(engine, self._settings, None).capabilities
            self._capabilities[engine] = known
        return known


def options_for(options: Mapping[str, Any], engine: str) -> dict[str, Any]:
    """The options of one engine: plain ones but those of merging, or those under its name."""
    own = options.get(engine)
    if isinstance(own, Mapping):
        return dict(own)
    plain = {name: value for name, value in options.items() if not isinstance(value, Mapping)}
    plain.pop(MERGE_SKIP, None)
    return plain


def output_of(result: PageResult, blocks: tuple[Block, ...], store: Store) -> PageOutput:
    """A stored result as an engine's output, its crops read from the blob store."""
    return PageOutput(
        blocks=blocks,
        raw=result.raw,
        raw_media_type=result.raw_media_type,
        width=result.width,
        height=result.height,
        source=result.source,
        turned_degrees=result.turned_degrees,
        skew_degrees=result.skew_degrees,
        images={name: store.blobs.read(name) for name in result.images},
        timings=dict(result.timings),
        warnings=result.warnings,
        model=result.model,
    )


def serve(settings: Settings) -> None:
    """Run a split process until SIGTERM or SIGINT."""
    store = Store.open(settings)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    worker = Worker(context, settings, role="split", service="split", credit=1)
    drain_on_signals(worker)
    splitter = Splitter(settings, store, worker)
    worker.set_status(state="ready")
    worker.start()
    try:
        splitter.run()
    except OutsideFailed:
        log.exception("the split stage cannot go on")
        raise
    finally:
        splitter.close()
        worker.leave(LEAVE_SECONDS)
        store.close()
        context.term()
