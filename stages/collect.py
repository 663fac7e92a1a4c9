"""The collect stage: the only writer of results.

Everything that has arrived is committed in one transaction, and only then is it called
committed. Merging runs in a thread of its own, so that a long book never holds up commits.
"""

import logging
import queue
import threading
import time
from collections.abc import Iterable
from functools import partial

import zmq

from bus.worker import Delivery, Worker
from shared.errors import NotFound, OutsideFailed, QuireError
from shared.messages import Closed, Committed, Result, Submit, split_job
from shared.records import Failure, Retry, Settled
from shared.settings import Settings
from shared.states import JobState, PageState
from stages.answers import Answers
from stages.followups import Followups, compare_jobs, merged_files
from stages.work import LEAVE_SECONDS, PASSING, Blockade, drain_on_signals, publish_job
from store import Store

log = logging.getLogger(__name__)

BATCH = 512  # results in one transaction at most
SWEEP_SECONDS = 600.0  # between two runs of the janitor
SWEEP_AGE_SECONDS = 3600.0  # younger files may belong to an upload under way
LOOK_SECONDS = 5.0  # between looks for jobs whose doorbell was lost
SUBMIT_BATCH = 500  # jobs in one message


class Collector:
    """Commits results, says so, and hands complete jobs to the finisher."""

    def __init__(self, settings: Settings, store: Store, worker: Worker) -> None:
        self._store = store
        self._worker = worker
        self._answers = Answers(settings, store)
        self._blockade = Blockade(worker)
        self._finisher = Finisher(settings, store, worker, self._blockade)
        self._followups = Followups(settings, store, worker)
        self._epoch = ""
        self._look_at = 0.0

    def run(self) -> None:
        """Until the worker drains and nothing is left."""
        self._finisher.start()
        self._followups.start()
        try:
            while self._blockade.lifted("collect", partial(self._step, self._take())):
                continue
        finally:
            self._followups.stop()
            self._finisher.stop()

    def _take(self) -> list[Delivery]:
        return self._worker.take(BATCH, timeout_seconds=1.0)

    def _step(self, deliveries: list[Delivery]) -> bool:
        """Commit these, look for open jobs; False when there is nothing more to do."""
        if deliveries:
            self._commit(deliveries)
        elif self._worker.draining:
            return False
        self._publish_open_jobs()
        return True

    def _commit(self, deliveries: list[Delivery]) -> None:
        batch: dict[str, Settled | Retry] = {}
        for delivery in deliveries:
            message = delivery.message
            if not isinstance(message, Result):
                continue
            job_id = split_job(message.key)
            if job_id:
                self._give_up(job_id, message)
            elif not is_done(batch.get(message.key)):  # a good answer wins over a refused one
                try:
                    batch[message.key] = self._answers.consequence(message, delivery.payload)
                except OutsideFailed:
                    self._let_go(batch.values())  # all of them are made again
                    raise
        changes = self._store.settle(list(batch.values()))
        self._worker.progress()
        if batch:
            again = tuple(key for key, item in batch.items() if isinstance(item, Retry))
            self._worker.send(Committed(tuple(batch), again))
        for change in changes:
            publish_job(self._worker, change.job, [*change.settled, *change.retried])
            if change.complete:
                self._finisher.add(change.job.id)

    def _give_up(self, job_id: str, message: Result) -> None:
        """Its document ends every process that opens it."""
        reason = str(message.header.get("reason", "")) or "It cannot be split into pages."
        sentence = f"The document could not be opened in {message.header.get('crashes', 0)} tries."
        try:
            job = self._store.fail_job(job_id, Failure("document_crashes", f"{sentence} {reason}"))
        except NotFound:
            log.info("job %s was deleted before it was given up", job_id)
        else:
            publish_job(self._worker, job)
        self._worker.send(Committed((message.key,)))
        self._worker.send(Closed((job_id,)))

    def _let_go(self, batch: Iterable[Settled | Retry]) -> None:
        for item in batch:
            result = item.result if isinstance(item, Settled) else None
            for sha256 in result.images if result else ():
                self._store.blobs.release(sha256)

    def _publish_open_jobs(self) -> None:
        """A new broker knows nothing; a lost doorbell is rung again."""
        now = time.monotonic()
        if not self._worker.epoch or (self._epoch == self._worker.epoch and now < self._look_at):
            return
        self._epoch, self._look_at = self._worker.epoch, now + LOOK_SECONDS
        for job_id in self._store.complete_jobs():
            self._finisher.add(job_id)
        jobs = [(job.id, job.lane.value) for job in self._store.open_jobs()]
        for start in range(0, len(jobs), SUBMIT_BATCH):
            self._worker.send(Submit(tuple(jobs[start : start + SUBMIT_BATCH])))


def is_done(item: Settled | Retry | None) -> bool:
    """Whether a page has its result."""
    return isinstance(item, Settled) and item.state is PageState.DONE


class Finisher:
    """Merges complete jobs and writes their artifacts, one after the other; sweeps between."""

    def __init__(
        self, settings: Settings, store: Store, worker: Worker, blockade: Blockade
    ) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._blockade = blockade
        self._jobs: queue.Queue[str | None] = queue.Queue()
        self._known: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="finisher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, job_id: str) -> None:
        """This job's pages are all settled. Known ones are kept."""
        if job_id not in self._known:
            self._known.add(job_id)
            self._jobs.put(job_id)

    def stop(self) -> None:
        """Finish what is in hand; the rest is found again by the next collector."""
        self._jobs.put(None)
        self._thread.join(timeout=LEAVE_SECONDS)

    def _run(self) -> None:
        sweep_at = time.monotonic()
        while True:
            try:
                job_id = self._jobs.get(timeout=max(0.1, sweep_at - time.monotonic()))
            except queue.Empty:
                sweep_at = time.monotonic() + SWEEP_SECONDS
                self._sweep()
                continue
            if job_id is None:
                return
            self._blockade.lifted("finisher", partial(self._finish, job_id))
            self._known.discard(job_id)

    def _finish(self, job_id: str) -> None:
        try:
            job = self._store.job(job_id)
            if job.state is not JobState.RUNNING:
                return
            artifacts = merged_files(job, self._store, self._settings)
            if len(job.engines) > 1:
                compare_jobs(job, job_id, self._store, lambda: None)
            job = self._store.finish_job(job_id, artifacts)
        except NotFound:
            return  # deleted meanwhile
        except QuireError as error:
            if error.code in PASSING:
                raise  # no fault of the job: it is merged when that is over
            log.exception("job %s could not be merged", job_id)
            job = self._store.fail_job(job_id, Failure(error.code, str(error)))
        except Exception as error:
            log.exception("job %s could not be merged", job_id)
            sentence = f"The pages could not be merged: {type(error).__name__}: {error}"
            job = self._store.fail_job(job_id, Failure("merge_failed", sentence[:500]))
        publish_job(self._worker, job)
        self._worker.send(Closed((job_id,)))

    def _sweep(self) -> None:
        try:
            report = self._store.sweep(older_than_seconds=SWEEP_AGE_SECONDS)
        except OutsideFailed as error:
            log.warning("the janitor comes again later: %s", error)
        else:
            log.info("janitor: %s", report)


def serve(settings: Settings) -> None:
    """Run the collector until SIGTERM or SIGINT."""
    store = Store.open(settings)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    worker = Worker(context, settings, role="collect", service="collect", credit=BATCH)
    drain_on_signals(worker)
    worker.set_status(state="ready")
    worker.start()
    try:
        Collector(settings, store, worker).run()
    finally:
        worker.leave(LEAVE_SECONDS)
        store.close()
        context.term()
