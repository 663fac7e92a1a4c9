"""Jobs: added, listed, and moved from state to state."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from shared.errors import Conflict, NotFound
from shared.records import Failure, Job, NewJob
from shared.states import JobState, Lane, PageState
from store.blobs import BlobStore
from store.database import Database
from store.ids import JobIds
from store.job_engines import add_asked
from store.references import References
from store.rows import JOB_QUERY, OPEN_PAGES, VISIBLE, canonical, load_jobs
from store.schema import artifacts, documents, jobs, pages
from store.words import clean, fold


class Jobs:
    """The rows of `jobs` and `documents`."""

    def __init__(self, database: Database, blobs: BlobStore, references: References) -> None:
        self._database = database
        self._blobs = blobs
        self._references = references
        self._ids = JobIds()
        # Documents of uploads whose jobs are not added yet, to add the row again when a delete
        # of the document's last job came between: id -> (media type, bytes, how many uploads).
        self._uploads: dict[str, tuple[str, int, int]] = {}
        self._lock = threading.Lock()

    def add_document(self, document_id: str, media_type: str, size_bytes: int) -> int | None:
        """See Store."""
        with self._lock:
            count = self._uploads.get(document_id, ("", 0, 0))[2]
            self._uploads[document_id] = (media_type, size_bytes, count + 1)
        with self._database.write() as connection:
            self._write_document(connection, document_id, media_type, size_bytes)
            query = sa.select(documents.c.pages).where(documents.c.id == document_id)
            pages: int | None = connection.scalar(query)
        return pages

    def add(self, new: Sequence[NewJob]) -> list[Job]:
        """See Store."""
        now = time.time()
        rows = [self._row(job, now) for job in new]
        with self._database.write() as connection:
            for document_id in {job.document_id for job in new}:
                self._require_document(connection, document_id)
            for parent in {job.parent for job in new if job.parent}:
                require_job(connection, parent)
            if rows:
                connection.execute(sa.insert(jobs), rows)
                add_asked(connection, rows)
            added = _load(connection, [row["id"] for row in rows])
        for job in new:
            if job.parent is None:  # a replay has uploaded nothing
                self._forget_upload(job.document_id)
        return added

    def discard(self, blobs: Sequence[str]) -> None:
        """See Store."""
        with self._database.write() as connection:
            used = sa.select(jobs.c.document).where(jobs.c.document == documents.c.id)
            connection.execute(
                sa.delete(documents).where(
                    documents.c.id.in_(blobs), documents.c.pages.is_(None), ~used.exists()
                )
            )
        for sha256 in blobs:
            self._forget_upload(sha256)
        self._references.free(blobs)

    def move(self, job_id: str, lane: Lane) -> Job:
        """See Store."""
        with self._database.write() as connection:
            job = require_job(connection, job_id)
            if job.state.is_final:
                raise Conflict(
                    f"Job {job_id} is already {job.state.value}; its priority changes nothing.",
                    code="job_is_final",
                )
            values = {"lane": lane.value, "revision": jobs.c.revision + 1}
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))
            return require_job(connection, job_id)

    def cancel(self, job_id: str) -> Job:
        """See Store."""
        with self._database.write() as connection:
            job = require_job(connection, job_id)
            if job.state.is_final:
                raise Conflict(
                    f"Job {job_id} is already {job.state.value}; there is nothing to cancel.",
                    code="job_is_final",
                )
            return close(connection, job_id, {"state": JobState.CANCELLED.value})

    def fail(self, job_id: str, failure: Failure) -> Job:
        """See Store."""
        with self._database.write() as connection:
            job = require_job(connection, job_id)
            return job if job.state.is_final else fail(connection, job_id, failure)

    def finish(self, job_id: str, files: Mapping[str, str]) -> Job:
        """See Store."""
        try:
            with self._database.write() as connection:
                job = self._finish(connection, job_id, files)
        finally:
            for sha256 in files.values():
                self._blobs.release(sha256)
        if job.artifacts != files:
            self._references.free(files.values())  # cancelled or failed while it was merged
        return job

    def _finish(self, connection: sa.Connection, job_id: str, files: Mapping[str, str]) -> Job:
        job = require_job(connection, job_id)
        if job.state.is_final:
            return job
        if job.state is not JobState.RUNNING or job.counts.pending:
            raise Conflict(
                f"Job {job_id} has pages that are not settled; it cannot be finished.",
                code="job_is_open",
            )
        self._references.require_all(connection, files.values())
        if files:
            rows = [{"job": job_id, "format": kind, "sha256": s} for kind, s in files.items()]
            connection.execute(sa.insert(artifacts), rows)
        values: dict[str, Any] = {"state": JobState.DONE.value}
        if job.counts.total and job.counts.failed == job.counts.total:
            first = connection.execute(
                sa.select(pages.c.page, pages.c.reason)
                .where(pages.c.job == job_id)
                .order_by(pages.c.page, pages.c.engine)
                .limit(1)
            ).one()
            values = {
                "state": JobState.FAILED.value,
                "failure_type": "all_pages_failed",
                "failure_message": f"No page could be read. Page {first.page}: {first.reason}",
            }
        return close(connection, job_id, values)

    def _forget_upload(self, document_id: str) -> None:
        self._blobs.release(document_id)
        with self._lock:
            media_type, size_bytes, count = self._uploads.pop(document_id, ("", 0, 0))
            if count > 1:
                self._uploads[document_id] = (media_type, size_bytes, count - 1)

    def _row(self, job: NewJob, now: float) -> dict[str, Any]:
        name = clean(job.document_name)
        return {
            "id": self._ids.next(),
            "document": job.document_id,
            "name": name,
            "name_folded": fold(name),
            "state": JobState.QUEUED.value,
            "engine": clean(job.engine),
            "options": canonical(job.options),
            "pages": clean(job.pages),
            "lane": job.lane.value,
            "origin": job.origin.value,
            "parent": job.parent,
            "reuse": job.reuse,
            "total": 0,
            "done": 0,
            "failed": 0,
            "cancelled": 0,
            "revision": 1,
            "created": now,
        }

    def _require_document(self, connection: sa.Connection, document_id: str) -> None:
        query = sa.select(documents.c.id).where(documents.c.id == document_id)
        if connection.scalar(query) is not None:
            self._references.require_all(connection, [document_id])
            return
        with self._lock:
            upload = self._uploads.get(document_id)
        if upload is None:
            raise NotFound(
                f"The document {document_id} is not stored; upload it.", code="document_not_found"
            )
        self._write_document(connection, document_id, *upload[:2])

    def _write_document(
        self, connection: sa.Connection, document_id: str, media_type: str, size_bytes: int
    ) -> None:
        self._references.require_all(connection, [document_id])
        now = time.time()
        touch = sa.update(documents).where(documents.c.id == document_id).values(touched=now)
        if connection.execute(touch).rowcount == 0:
            values = {"media_type": media_type, "size_bytes": size_bytes, "touched": now}
            connection.execute(sa.insert(documents).values(id=document_id, **values))


def require_job(connection: sa.Connection, job_id: str) -> Job:
    """The job. NotFound (`job_not_found`) when it never was or is deleted."""
    found = load_jobs(connection, JOB_QUERY.where(jobs.c.id == clean(job_id), VISIBLE))
    if not found:
        raise NotFound(f"There is no job {job_id[:40]!r}.", code="job_not_found")
    return found[0]


def fail(connection: sa.Connection, job_id: str, failure: Failure) -> Job:
    """Close an open job as failed."""
    return close(
        connection,
        job_id,
        {
            "state": JobState.FAILED.value,
            "failure_type": failure.type,
            "failure_message": clean(failure.message),
        },
    )


def close(connection: sa.Connection, job_id: str, values: Mapping[str, Any]) -> Job:
    """Give a job its final state; pages that are still open become cancelled with it."""
    now = time.time()
    connection.execute(
        sa.update(pages)
        .where(pages.c.job == job_id, pages.c.state.in_(OPEN_PAGES))
        .values(state=PageState.CANCELLED.value, finished=now)
    )
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job_id)
        .values(
            cancelled=jobs.c.total - jobs.c.done - jobs.c.failed,
            finished=now,
            revision=jobs.c.revision + 1,
            **values,
        )
    )
    return require_job(connection, job_id)


def _load(connection: sa.Connection, ids: Sequence[str]) -> list[Job]:
    return load_jobs(connection, JOB_QUERY.where(jobs.c.id.in_(ids)).order_by(jobs.c.id))
