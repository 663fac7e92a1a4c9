"""Mends what crashes leave behind, from the rows and from the directory, in small steps."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from shared.records import Failure
from shared.states import JobState
from store.blobs import BlobStore, is_sha256
from store.changes import SweepReport
from store.database import Database
from store.deletion import Deletion, delete_unused_document
from store.jobs import fail
from store.references import References
from store.rows import OPEN_STATES, VISIBLE
from store.schema import artifacts, documents, jobs, page_images, result_images, results

_FILES_PER_STEP = 500
_ROWS_PER_READ = 2000


@dataclass(slots=True)
class _Run:
    cutoff: float
    failed: list[str] = field(default_factory=list)


class Janitor:
    """Sweeps. Several may run at once, beside all other work."""

    def __init__(
        self, database: Database, blobs: BlobStore, references: References, deletion: Deletion
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._references = references
        self._deletion = deletion

    def sweep(self, older_than_seconds: float) -> SweepReport:
        """See Store."""
        run = _Run(cutoff=time.time() - older_than_seconds)
        # A hold and its blob are one file: to remove either makes the other look young.
        temp_files = [entry for entry in _files(self._blobs.temp) if _age_mark(entry) < run.cutoff]
        # Rows first: they name blobs, which the directory's turn then finds unused.
        purged = self._purge_hidden(run)
        unused = self._drop_documents(run)
        self._fail_jobs(run)
        previews = self._drop_previews(run)
        crops = self._drop_crops(run)
        orphans, freed = self._remove_orphans(run)
        for entry in temp_files:  # half-written files, holds of processes that died or forgot them
            entry.unlink(missing_ok=True)
        self._database.tidy()
        return SweepReport(
            temp_files=len(temp_files),
            orphan_blobs=orphans,
            freed_bytes=freed,
            purged_jobs=purged,
            unused_documents=unused,
            lost_previews=previews,
            lost_crops=crops,
            failed_jobs=tuple(run.failed),
        )

    def _purge_hidden(self, run: _Run) -> int:
        """Deletes that a crash cut short."""
        with self._database.read() as connection:
            query = sa.select(jobs.c.id).where(jobs.c.deleted < run.cutoff)
            hidden = list(connection.scalars(query))
        for job_id in hidden:
            self._deletion.purge(job_id)
        return len(hidden)

    def _drop_documents(self, run: _Run) -> int:
        """Uploads whose job was never added."""
        used = sa.select(jobs.c.id).where(jobs.c.document == documents.c.id).exists()
        query = sa.select(documents.c.id).where(documents.c.touched < run.cutoff, ~used)
        with self._database.read() as connection:
            unused = list(connection.scalars(query))
        for document in unused:
            with self._database.write() as connection:
                again = query.where(documents.c.id == document)  # touched since we looked?
                if connection.scalar(again) is None:
                    continue
                blobs = delete_unused_document(connection, document)
            self._references.free(blobs)
        return len(unused)

    def _fail_jobs(self, run: _Run) -> None:
        """Open jobs without their document, finished ones without a result file.

        A finished job whose document is lost stays as it is: its results are whole.
        """
        opened = sa.select(jobs.c.id, jobs.c.document.label("sha256")).where(
            jobs.c.state.in_(OPEN_STATES), jobs.c.created < run.cutoff
        )
        for job_id, sha256 in self._lost(opened, jobs.c.id):
            self._fail(run, job_id, "The document is missing from the data directory", sha256)
        finished = (
            sa.select(jobs.c.id, artifacts.c.sha256)
            .join(artifacts, artifacts.c.job == jobs.c.id)
            .where(jobs.c.state == JobState.DONE.value, jobs.c.finished < run.cutoff, VISIBLE)
        )
        for job_id, sha256 in self._lost(finished, jobs.c.id):
            self._fail(run, job_id, "A result file is missing from the data directory", sha256)

    def _fail(self, run: _Run, job_id: str, what: str, sha256: str) -> None:
        failure = Failure(
            "blob_missing", f"{what} ({sha256[:12]}…). Restore it from a backup or run again."
        )
        with self._database.write() as connection:
            state = connection.scalar(sa.select(jobs.c.state).where(jobs.c.id == job_id, VISIBLE))
            if state in {*OPEN_STATES, JobState.DONE.value} and not self._blobs.ensure(sha256):
                fail(connection, job_id, failure)
                run.failed.append(job_id)

    def _drop_previews(self, run: _Run) -> int:
        query = (
            sa.select(page_images.c.document, page_images.c.sha256)
            .join(documents, documents.c.id == page_images.c.document)
            .where(documents.c.touched < run.cutoff)
        )
        return self._drop(page_images, self._lost(query, page_images.c.document))

    def _drop_crops(self, run: _Run) -> int:
        query = (
            sa.select(result_images.c.result, result_images.c.sha256)
            .join(results, results.c.id == result_images.c.result)
            .join(jobs, jobs.c.id == results.c.job)
            .where(jobs.c.created < run.cutoff)
        )
        return self._drop(result_images, self._lost(query, result_images.c.result))

    def _drop(self, table: sa.Table, lost: Iterator[tuple[str, str]]) -> int:
        """Forget pictures that are gone: the page itself is whole."""
        count = 0
        for sha256 in {sha256 for _, sha256 in lost}:
            with self._database.write() as connection:
                if not self._blobs.ensure(sha256):
                    gone = sa.delete(table).where(table.c.sha256 == sha256)
                    count += connection.execute(gone).rowcount
        return count

    def _lost(
        self, query: sa.Select[tuple[str, str]], key: sa.Column[str]
    ) -> Iterator[tuple[str, str]]:
        """(key, sha256) of rows whose blob is missing; pages through the rows by both."""
        blob = query.selected_columns[1]
        step = query.order_by(key, blob).limit(_ROWS_PER_READ)
        while True:
            with self._database.read() as connection:
                rows = connection.execute(step).all()
            for row in rows:
                owner, sha256 = str(row[0]), str(row.sha256)
                if not self._blobs.exists(sha256):
                    yield owner, sha256
            if len(rows) < _ROWS_PER_READ:
                return
            last = sa.tuple_(sa.literal(rows[-1][0]), sa.literal(rows[-1].sha256))
            step = query.where(sa.tuple_(key, blob) > last)
            step = step.order_by(key, blob).limit(_ROWS_PER_READ)

    def _remove_orphans(self, run: _Run) -> tuple[int, int]:
        count = size = 0
        old = (
            entry.name
            for entry in _files(self._blobs.root)
            if is_sha256(entry.name) and _age_mark(entry) < run.cutoff
        )
        while batch := list(islice(old, _FILES_PER_STEP)):
            # Looked at first beside the writers: nearly all blobs are used, and stay.
            removed = self._references.free(self._references.unused(batch))
            count, size = count + removed[0], size + removed[1]
        return count, size


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)


def _age_mark(path: Path) -> float:
    """When a file was last written or linked; a hold on an old blob makes it young again."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return time.time()
    return max(status.st_mtime, status.st_ctime)
