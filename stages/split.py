"""The split stage: opens documents in sandboxed children and sends out their pages.

One task is a chunk of one job: the broker asks for the next one when it has room, so a book of
2,800 pages takes no more memory than one of 20, and a one-page upload waits for one chunk at most.
"""

import logging
from collections.abc import Sequence

import zmq

from bus.worker import Delivery, Worker
from shared.errors import NotFound, OutsideFailed, Refused
from shared.messages import Closed, SplitDone, Task
from shared.page_ranges import select_pages
from shared.records import Failure, Job
from shared.settings import Settings
from shared.states import Origin
from stages.page_sender import Chunk, PageSender
from stages.reader import ReaderLimits, ReaderPool
from stages.work import LEAVE_SECONDS, Blockade, drain_on_signals, publish_job
from store import Store

log = logging.getLogger(__name__)

CHILDREN = 8  # open documents, some 60 MiB each


class Splitter:
    """Does the split tasks of one process."""

    def __init__(self, settings: Settings, store: Store, worker: Worker) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._blockade = Blockade(worker)
        self._readers = ReaderPool(ReaderLimits.of(settings), children=CHILDREN)
        self._sender = PageSender(settings, store, worker, self._readers)

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
        except Refused as error:
            self._refuse(task.job, error)
        return cursor, finished

    def _refuse(self, job_id: str, error: Refused) -> None:
        """Fail the job; where it is gone itself, that is what was refused."""
        try:
            job = self._store.fail_job(job_id, Failure(error.code, str(error)))
        except NotFound:
            log.info("job %s was deleted while it was split", job_id)
        else:
            log.info("job %s is refused: %s", job_id, error)
            publish_job(self._worker, job)
        self._worker.send(Closed((job_id,)))

    def _chunk(self, job: Job, task: Task) -> tuple[tuple[int, str], bool]:
        """Send the next pages; (cursor behind the last one, whether no page is left)."""
        if not job.counts.total:
            job = self._start(job)
            publish_job(self._worker, job)
        page, asked = task.header.get("cursor", (0, ""))
        cursor = (int(page), str(asked))
        ready = tuple(str(name) for name in task.header.get("engines", ()))
        chunk = Chunk(job, ready)
        left = {(int(page), str(name)): tuple(gone) for page, name, gone in again_of(task)}
        if left:
            tasks = self._store.still_pending(job.id, list(left))
            finished = bool(task.header.get("finished", False))
        else:
            limit = int(task.header.get("limit", self._settings.split_chunk_pages))
            tasks = self._store.pending(job.id, after=cursor, limit=limit)
            finished = len(tasks) < limit
        for page_task in tasks:
            key = (page_task.page, page_task.asked)
            self._sender.send(chunk, page_task, left.get(key, ()))
            self._worker.progress()
            cursor = cursor if left else key
        self._sender.finish(chunk)
        return cursor, finished

    # --- the first chunk -----------------------------------------------------------------

    def _start(self, job: Job) -> Job:
        """Write the job's page rows. Refused when the document or the selection is."""
        if job.origin is Origin.POSTPROCESS:
            return self._start_postprocess(job)
        opened = self._sender.reader(job).open()
        try:
            pages = select_pages(job.pages, opened.pages)
        except Refused:
            self._store.count_pages(job.document.id, opened.pages)  # web refuses the next one
            raise
        rows = [(page, asked) for page in pages for asked in dict.fromkeys(job.engines)]
        return self._store.start_job(job.id, opened.pages, rows)

    def _start_postprocess(self, job: Job) -> Job:
        assert job.parent is not None
        done = [task for task in self._store.pages(job.parent) if task.state.value == "done"]
        last = job.document.pages or max((task.page for task in done), default=1)
        chosen = set(select_pages(job.pages, last))
        rows = [(task.page, task.asked) for task in done if task.page in chosen]
        if not rows:
            raise Refused(
                "The job to post-process again has no finished page among those chosen. "
                "Replay it from recognize instead.",
                code="nothing_to_postprocess",
            )
        return self._store.start_job(job.id, last, rows)


def again_of(task: Task) -> Sequence[tuple[int, str, Sequence[str]]]:
    """(page, engine asked for, see `plan` for what it has left) of pages to read out of turn."""
    return tuple(task.header.get("again", ()))


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
