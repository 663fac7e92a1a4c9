"""Ends jobs whose pages are all settled: merges them and writes their files. Tidies besides.

Threads of the collect stage. Nothing that one job does, or the janitor, may end one of them: the
jobs behind it would stay open for ever, and nothing would say why.
"""

import logging
import queue
import threading
import time
from functools import partial

from bus.worker import Worker
from shared.errors import NotFound, QuireError
from shared.messages import Closed
from shared.records import Failure, Job
from shared.settings import Settings
from shared.states import JobState
from stages.followups import compare_jobs, merged_files
from stages.work import PASSING, Blockade, publish_job
from store import Store

log = logging.getLogger(__name__)

SHORT_PAGES = 50  # merged in well under a second; longer jobs have a thread of their own
SWEEP_SECONDS = 600.0  # between two runs of the janitor
CHECKPOINT_SECONDS = 1.0  # some 20 MB of log at full speed
SWEEP_AGE_SECONDS = 3600.0  # younger files may belong to an upload under way

Queue = queue.SimpleQueue[str | None]


class Finisher:
    """Merges complete jobs, short ones beside long ones, each kind in the order of its coming."""

    def __init__(
        self, settings: Settings, store: Store, worker: Worker, blockade: Blockade
    ) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._blockade = blockade
        self._short: Queue = queue.SimpleQueue()
        self._long: Queue = queue.SimpleQueue()
        self._known: set[str] = set()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=("short", self._short), daemon=True),
            threading.Thread(target=self._run, args=("long", self._long), daemon=True),
            threading.Thread(target=self._sweep_now_and_then, name="janitor", daemon=True),
            threading.Thread(target=self._tidy_log, name="checkpoints", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def add(self, job_id: str, pages: int) -> None:
        """This job's pages are all settled, so many. Known ones are kept."""
        if job_id not in self._known:
            self._known.add(job_id)
            (self._short if pages <= SHORT_PAGES else self._long).put(job_id)

    def stop(self, until: float) -> None:
        """Finish what is in hand, until then (monotonic); the next collector finds the rest."""
        self._stop.set()
        self._short.put(None)
        self._long.put(None)
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))

    def _run(self, name: str, jobs: Queue) -> None:
        while (job_id := jobs.get()) is not None and not self._stop.is_set():
            try:
                self._blockade.lifted(f"finisher {name}", partial(self._finish, job_id))
            except Exception:  # the collector comes back with it in a few seconds
                log.exception("job %s could not be ended", job_id)
            finally:
                self._known.discard(job_id)

    def _finish(self, job_id: str) -> None:
        ended = self._end(job_id)
        if ended is not None:
            publish_job(self._worker, ended)
            self._worker.send(Closed((job_id,)))

    def _end(self, job_id: str) -> Job | None:
        """The job, done or failed; None when it is not to be ended, or deleted."""
        try:
            job = self._store.job(job_id)
            if job.state is not JobState.RUNNING:
                return None
            artifacts = merged_files(job, self._store, self._settings)
            if len(job.engines) > 1:
                compare_jobs(job, job_id, self._store, lambda: None)
            return self._store.finish_job(job_id, artifacts)
        except QuireError as error:
            if error.code in PASSING:
                raise  # no fault of the job: it is merged when that is over
            return self._fail(job_id, Failure(error.code, str(error)))
        except Exception as error:
            log.exception("job %s could not be merged", job_id)
            sentence = f"The pages could not be merged: {type(error).__name__}: {error}"
            return self._fail(job_id, Failure("merge_failed", sentence[:500]))

    def _fail(self, job_id: str, failure: Failure) -> Job | None:
        try:
            job = self._store.fail_job(job_id, failure)
        except NotFound:
            return None  # deleted meanwhile, which is what has failed
        log.error("job %s could not be merged: %s", job_id, failure.message)
        return job

    def _sweep_now_and_then(self) -> None:
        wait = 0.1
        while not self._stop.wait(wait):
            wait = SWEEP_SECONDS
            try:
                report = self._store.sweep(older_than_seconds=SWEEP_AGE_SECONDS)
            except QuireError as error:
                log.warning("the janitor comes again later: %s", error)
            except Exception:
                log.exception("the janitor comes again later")
            else:
                log.info("janitor: %s", report)

    def _tidy_log(self) -> None:
        said = ""
        while not self._stop.wait(CHECKPOINT_SECONDS):
            try:
                self._store.checkpoint()
            except QuireError as error:  # the commits do it, or wait themselves
                if str(error) != said:
                    log.warning("the log of commits grows: %s", error)
                said = str(error)
            except Exception:
                log.exception("the log of commits grows")
            else:
                said = ""
