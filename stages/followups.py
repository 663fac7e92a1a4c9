"""Makes what is asked for after a job has ended: exports, another merge, comparisons.

The wishes are rows of the store. They are looked for, not rung for: one indexed read of a table
that is nearly always empty, four times a second, needs no message on the bus and loses none.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import combinations

from bus.worker import Worker
from shared.compare import PageAgreement, measure
from shared.errors import NotFound, QuireError
from shared.followups import EXPORTS, MERGE, Wanted
from shared.merge_steps import skipped_by
from shared.records import Failure, Job, PageResult
from shared.settings import Settings
from stages.export import make_export
from stages.merge import taken_first, write_artifacts
from stages.work import BLOCKED_SECONDS, PASSING, publish_job
from store import Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25


class _Stopped(Exception):
    """The stage leaves; the wish stays for the next one."""


class Followups:
    """Two threads, so that a large export holds up no comparison."""

    def __init__(self, settings: Settings, store: Store, worker: Worker) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(wanted,), name=name, daemon=True)
            for name, wanted in (
                ("exports", lambda wish: wish.kind in EXPORTS),
                ("followups", lambda wish: wish.kind not in EXPORTS),
            )
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, until: float) -> None:
        """Stop at the next page, until then (monotonic); what is not made stays wanted."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))

    def _run(self, is_mine: Callable[[Wanted], bool]) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                wishes = [wish for wish in self._store.wishes() if is_mine(wish)]
                for wish in wishes:
                    self._one(wish)
            except _Stopped:
                return
            except QuireError as error:
                log.warning("exports wait: %s", error)
                self._stop.wait(BLOCKED_SECONDS)
            except Exception:  # a thread that ended would leave all later wishes unheard
                log.exception("exports wait")
                self._stop.wait(BLOCKED_SECONDS)

    def _one(self, wish: Wanted) -> None:
        if self._stop.is_set():
            raise _Stopped
        try:
            job = self._store.job(wish.job)
            files = self._make(wish, job)
            changed = self._store.fulfil(wish, files)
        except QuireError as error:
            if isinstance(error, NotFound) and self._is_deleted(wish.job):
                return  # and its wishes go with it
            if error.code in PASSING:
                raise  # no fault of the job: it is made when that is over
            log.warning("%s of job %s cannot be made: %s", wish.kind, wish.job, error)
            self._store.fail_wish(wish, Failure(error.code, str(error)))
        except _Stopped:
            raise
        except Exception as error:
            log.exception("%s of job %s cannot be made", wish.kind, wish.job)
            sentence = f"It could not be made: {type(error).__name__}: {error}"
            self._store.fail_wish(wish, Failure("export_failed", sentence[:500]))
        else:
            if changed is not None:
                publish_job(self._worker, changed)

    def _is_deleted(self, job_id: str) -> bool:
        try:
            self._store.job(job_id)
        except NotFound:
            return True
        return False

    def _make(self, wish: Wanted, job: Job) -> dict[str, str]:
        if wish.kind in EXPORTS:
            made = make_export(wish.kind, job, self._store, self._settings, self._go_on)
            return {wish.kind: made}
        if wish.kind == MERGE:
            return merged_files(job, self._store, self._settings)
        other = wish.other_job
        if other is not None:
            compare_jobs(job, other, self._store, self._go_on)
        return {}

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise _Stopped


def merged_files(job: Job, store: Store, settings: Settings) -> dict[str, str]:
    """Write md, json, html and txt of a job's pages; the blobs by format."""
    choices = store.choices(job.id)
    results = taken_first(
        job.id,
        lambda: store.results(job.id),
        choices,
        lambda page: store.taken_result(job.id, page),
    )
    skip = skipped_by(job.options, settings.merge_skip)
    return write_artifacts(job, results, store.pages(job.id), store.blobs, choices, skip)


def compare_jobs(job: Job, other_id: str, store: Store, go_on: Callable[[], None]) -> None:
    """Measure all pages that both jobs have read, or that several engines of one job have."""
    order = {name: rank for rank, name in enumerate(job.engines)}
    ours = _by_page(store.results(job.id))
    measured: list[PageAgreement] = []
    if other_id == job.id:
        for page, readings in ours:
            go_on()
            ranked = sorted(readings, key=lambda r: order.get(r.asked, len(order)))
            for a, b in combinations(ranked, 2):
                agreement = measure(a.text, b.text)
                measured.append(PageAgreement(page, a.asked, b.asked, agreement))
    else:
        theirs = _by_page(store.results(other_id))
        page_there, there = next(theirs, (0, []))
        for page, readings in ours:
            go_on()
            while there and page_there < page:
                page_there, there = next(theirs, (0, []))
            if page_there != page:
                continue
            for a in readings:
                for b in there:
                    agreement = measure(a.text, b.text)
                    measured.append(PageAgreement(page, a.asked, b.asked, agreement))
    store.put_agreements(job.id, other_id, measured)


def _by_page(results: Iterator[PageResult]) -> Iterator[tuple[int, list[PageResult]]]:
    group: list[PageResult] = []
    for result in results:
        if group and group[0].page != result.page:
            yield group[0].page, group
            group = []
        group.append(result)
    if group:
        yield group[0].page, group
