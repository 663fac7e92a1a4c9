"""The collect stage: the only writer of results.

Everything that has arrived is committed in one transaction, and only then is it called
committed. Merging runs in threads of its own (`finisher`), so that a long book never holds up
commits.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import zmq

from bus.worker import Delivery, Worker
from shared.errors import NotFound, OutsideFailed
from shared.messages import Closed, Committed, Result, Submit, page_key, split_job
from shared.records import Failure, Retry, Settled
from shared.settings import Settings
from stages.answers import Answers, given_up
from stages.finisher import Finisher
from stages.followups import Followups
from stages.work import COLLECT_LEAVE_SECONDS, Blockade, drain_on_signals, publish_job
from store import JobChange, Store

log = logging.getLogger(__name__)

BATCH = 512  # results in one transaction at most
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
            until = time.monotonic() + COLLECT_LEAVE_SECONDS
            self._followups.stop(until)
            self._finisher.stop(until)

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
        messages: dict[str, Result] = {}
        for delivery in deliveries:
            message = delivery.message
            if not isinstance(message, Result):
                continue
            job_id = split_job(message.key)
            if job_id:
                self._give_up(job_id, message)
                continue
            try:
                self._add(batch, messages, message, delivery.payload)
            except OutsideFailed:
                self._let_go(batch.values())  # all of them are made again
                raise
        changes = self._settle(batch, messages)
        self._worker.progress()
        for change in changes:  # first those who wait for a page, then the workers, who go on
            publish_job(self._worker, change.job, [*change.settled, *change.retried])
        if batch:
            settled = {
                page_key(change.job.id, task.page, task.asked)
                for change in changes
                for task in change.settled
            }
            again = tuple(k for k, item in batch.items() if goes_on(item, settled=k in settled))
            self._worker.send(Committed(tuple(batch), again))
        for change in changes:
            if change.complete:
                self._finisher.add(change.job.id, change.job.counts.total)

    def _add(
        self,
        batch: dict[str, Settled | Retry],
        messages: dict[str, Result],
        message: Result,
        payload: Sequence[bytes | memoryview],
    ) -> None:
        """Put what follows from an answer into the batch, unless a better one is there."""
        known = batch.get(message.key)
        if is_good(known):
            return
        item = self._consequence(message, payload)
        if known is not None and not outranks(item, known):
            self._let_go([item])
            return
        if known is not None:
            self._let_go([known])
        batch[message.key], messages[message.key] = item, message

    def _consequence(
        self, message: Result, payload: Sequence[bytes | memoryview]
    ) -> Settled | Retry:
        """What to write; whatever an engine puts into an answer, it costs that answer only."""
        try:
            return self._answers.consequence(message, payload)
        except OutsideFailed:
            raise
        except Exception as error:
            log.exception("the answer for %s cannot be used", message.key)
            why = error
        try:
            return self._answers.unusable(message, why)
        except OutsideFailed:
            raise
        except Exception as error:
            log.exception("nor can what it says beside it")
            return given_up(message, error)

    def _settle(
        self, batch: dict[str, Settled | Retry], messages: Mapping[str, Result]
    ) -> list[JobChange]:
        """Write them together; where that fails each alone, and those that cannot be as failed."""
        try:
            return self._store.settle(list(batch.values()))
        except OutsideFailed:
            raise
        except Exception:
            log.exception("%d answers cannot be written together", len(batch))
        changes: list[JobChange] = []
        for key in batch:
            changes += self._settle_alone(batch, messages[key])
        return changes

    def _settle_alone(self, batch: dict[str, Settled | Retry], message: Result) -> list[JobChange]:
        key = message.key
        for instead in (self._answers.unusable, given_up):
            try:
                return self._store.settle([batch[key]])
            except OutsideFailed:
                raise
            except Exception as error:
                log.exception("the answer for %s cannot be written", key)
                batch[key] = instead(message, error)
        return self._store.settle([batch[key]])

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
        opened = self._store.open_jobs()
        pages = {job.id: job.counts.total for job in opened}
        for job_id in self._store.complete_jobs():
            self._finisher.add(job_id, pages.get(job_id, 0))
        jobs = [(job.id, job.lane.value) for job in opened]
        for start in range(0, len(jobs), SUBMIT_BATCH):
            self._worker.send(Submit(tuple(jobs[start : start + SUBMIT_BATCH])))


def is_good(item: Settled | Retry | None) -> bool:
    """Whether a page has an answer that counts whenever it comes."""
    return isinstance(item, Settled) and item.is_good


def goes_on(item: Settled | Retry, *, settled: bool) -> bool:
    """Whether the page has more to come after this answer.

    A bad answer that settled nothing was old: another engine may be reading the page.
    """
    return isinstance(item, Retry) or not (settled or item.is_good)


def outranks(item: Settled | Retry, known: Settled | Retry) -> bool:
    """Whether an answer takes the place of another one to its page, which is not good.

    A bad one counts only in the turn that it ends, so an earlier turn's, said again, never does.
    """
    if is_good(item) or item.turn is None:
        return True
    return known.turn is not None and item.turn >= known.turn


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
        worker.leave(0.0)  # it has answers of others only, who keep them
        store.close()
        context.term()
