"""What is asked for after a job has ended, and the pages taken from elsewhere."""

import time
from collections.abc import Mapping

import sqlalchemy as sa

from shared.errors import Conflict, NotFound
from shared.followups import EXPORTS, MERGE, Choice, Wanted, compare_with
from shared.records import Failure, Job
from shared.states import PageState
from store.agreements import is_compared
from store.blobs import BlobStore
from store.database import Database
from store.jobs import require_job
from store.references import References
from store.rows import MAX_NUMBER
from store.schema import agreements, artifacts, choices, comparisons, jobs, pages, wanted
from store.words import clean

_FAILED_SECONDS = 30.0  # a wish that failed is refused for so long, then tried again


class Followups:
    """The rows of `wanted` and `choices`, and the files that come of them."""

    def __init__(self, database: Database, blobs: BlobStore, references: References) -> None:
        self._database = database
        self._blobs = blobs
        self._references = references

    def want(self, job_id: str, kind: str) -> Wanted:
        """See Store."""
        with self._database.write() as connection:
            job = require_job(connection, job_id)
            if not job.has_result:
                raise _no_result(job)
            found = _wish(connection, job_id, kind)
            now = time.time()
            if found is not None and (found.failure is None or now - found.asked < _FAILED_SECONDS):
                return found
            wish = Wanted(job_id, kind, now)
            other = wish.other_job
            if other is None or not is_compared(connection, job_id, other):
                _ask(connection, job_id, kind, now)
            return wish

    def wish(self, job_id: str, kind: str) -> Wanted | None:
        """See Store."""
        with self._database.read() as connection:
            return _wish(connection, job_id, kind)

    def wishes(self) -> list[Wanted]:
        """See Store."""
        query = (
            sa.select(wanted)
            .join(jobs, jobs.c.id == wanted.c.job)
            .where(wanted.c.failure_type.is_(None), jobs.c.deleted.is_(None))
            .order_by(wanted.c.asked)
        )
        with self._database.read() as connection:
            return [_wanted(row) for row in connection.execute(query)]

    def fulfil(self, wish: Wanted, files: Mapping[str, str]) -> Job | None:
        """See Store."""
        old: set[str] = set()
        job: Job | None = None
        try:
            with self._database.write() as connection:
                gone = sa.delete(wanted).where(*_same(wish))
                if connection.execute(gone).rowcount:
                    old = self._replace_files(connection, wish.job, files)
                    job = _touch(connection, wish.job)
        finally:
            for sha256 in files.values():
                self._blobs.release(sha256)
        self._references.free(old if job is not None else set(files.values()))
        return job

    def fail(self, wish: Wanted, failure: Failure) -> None:
        """See Store."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(wanted)
                .where(*_same(wish))
                .values(
                    asked=time.time(),
                    failure_type=clean(failure.type),
                    failure_message=clean(failure.message),
                )
            )

    def take(self, job_id: str, page: int, engine: str | None, from_job: str | None) -> Job:
        """See Store."""
        source = from_job or job_id
        page = min(page, MAX_NUMBER)
        with self._database.write() as connection:
            job = require_job(connection, job_id)
            if not job.has_result:
                raise _no_result(job)
            mine = choices.c.job == job_id, choices.c.page == page
            asked = _reading(connection, job, source, page, clean(engine)) if engine else None
            connection.execute(sa.delete(choices).where(*mine))
            if asked is not None:
                row = {"job": job_id, "page": page, "from_job": source, "engine": asked}
                connection.execute(sa.insert(choices), row)
            named = artifacts.c.job == job_id, artifacts.c.format.in_(EXPORTS)
            old = set(connection.scalars(sa.select(artifacts.c.sha256).where(*named)))
            connection.execute(sa.delete(artifacts).where(*named))
            now = time.time()
            under_way = wanted.c.job == job_id, wanted.c.kind.in_(EXPORTS)
            connection.execute(sa.update(wanted).where(*under_way).values(asked=now))
            _ask(connection, job_id, MERGE, now)
            job = _touch(connection, job_id)
        self._references.free(old)
        return job

    def choices(self, job_id: str) -> dict[int, Choice]:
        """See Store."""
        query = sa.select(choices).where(choices.c.job == job_id)
        with self._database.read() as connection:
            rows = connection.execute(query)
            return {row.page: Choice(row.page, row.from_job, row.engine) for row in rows}

    def _replace_files(
        self, connection: sa.Connection, job_id: str, files: Mapping[str, str]
    ) -> set[str]:
        """Name other blobs for these formats; the blobs that were named before."""
        if not files:
            return set()
        self._references.require_all(connection, files.values())
        named = artifacts.c.job == job_id, artifacts.c.format.in_(list(files))
        old = set(connection.scalars(sa.select(artifacts.c.sha256).where(*named)))
        connection.execute(sa.delete(artifacts).where(*named))
        rows = [{"job": job_id, "format": kind, "sha256": s} for kind, s in files.items()]
        connection.execute(sa.insert(artifacts), rows)
        return old - set(files.values())


def forget_followups(connection: sa.Connection, job_id: str) -> None:
    """Delete the rows of a job that is being removed, and comparisons of others with it."""
    for table in (wanted, choices, agreements, comparisons):
        connection.execute(sa.delete(table).where(table.c.job == job_id))
    for table in (agreements, comparisons):
        connection.execute(sa.delete(table).where(table.c.other_job == job_id))
    connection.execute(sa.delete(wanted).where(wanted.c.kind == compare_with(job_id)))


def job_that_took_from(connection: sa.Connection, job_id: str) -> str | None:
    """Another job that shows a page of this one."""
    query = (
        sa.select(choices.c.job)
        .join(jobs, jobs.c.id == choices.c.job)
        .where(choices.c.from_job == job_id, choices.c.job != job_id, jobs.c.deleted.is_(None))
        .limit(1)
    )
    found: str | None = connection.scalar(query)
    return found


def _ask(connection: sa.Connection, job_id: str, kind: str, now: float) -> None:
    connection.execute(sa.delete(wanted).where(wanted.c.job == job_id, wanted.c.kind == kind))
    connection.execute(sa.insert(wanted), {"job": job_id, "kind": kind, "asked": now})


def _wish(connection: sa.Connection, job_id: str, kind: str) -> Wanted | None:
    query = sa.select(wanted).where(wanted.c.job == job_id, wanted.c.kind == kind)
    row = connection.execute(query).first()
    return _wanted(row) if row is not None else None


def _same(wish: Wanted) -> tuple[sa.ColumnElement[bool], ...]:
    return wanted.c.job == wish.job, wanted.c.kind == wish.kind, wanted.c.asked == wish.asked


def _wanted(row: sa.Row[tuple[str, ...]]) -> Wanted:
    failure = Failure(row.failure_type, row.failure_message) if row.failure_type else None
    return Wanted(row.job, row.kind, row.asked, failure)


def _touch(connection: sa.Connection, job_id: str) -> Job:
    """The job with a new revision: its files have changed."""
    more = jobs.c.revision + 1
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(revision=more))
    return require_job(connection, job_id)


def _reading(connection: sa.Connection, job: Job, source: str, page: int, engine: str) -> str:
    """What was asked for where this engine read the page. Conflict, NotFound."""
    if source != job.id:
        other = require_job(connection, source)
        if other.document.id != job.document.id:
            raise Conflict(
                f"Job {source} read another document; take pages from jobs of the same one.",
                code="other_document",
            )
    mine = sa.select(pages.c.page).where(pages.c.job == job.id, pages.c.page == page)
    there = sa.select(pages.c.engine, pages.c.state).where(
        pages.c.job == source,
        pages.c.page == page,
        sa.or_(pages.c.engine == engine, pages.c.used == engine),
    )
    found = {row.engine: row.state for row in connection.execute(there)}
    if not found or connection.scalar(mine.limit(1)) is None:
        raise NotFound(
            f"There is no page {page} by {engine[:40]!r} to take.", code="page_not_found"
        )
    asked = engine if engine in found else min(found)
    if found[asked] != PageState.DONE.value:
        raise Conflict(
            f"Page {page} by {engine[:40]!r} is {found[asked]}; only a page that was read can be "
            "taken.",
            code="page_not_ready",
        )
    return asked


def _no_result(job: Job) -> Conflict:
    if not job.state.is_final:
        return Conflict(
            f"The job is {job.state.value}; its result is written when all pages are settled.",
            code="job_is_open",
        )
    why = f": {job.failure.message}" if job.failure else "."
    return Conflict(f"The job is {job.state.value} and has no result{why}", code="no_result")
