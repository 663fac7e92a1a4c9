"""Deleting a job and what only that job used.

First one transaction hides the job (`deleted`); then its rows go in batches, so that no other
writer waits long; blobs go after the commit of the rows that named them. A crash anywhere in
between leaves a hidden job, which the janitor purges, or blobs without rows, which it removes.
"""

import time

import sqlalchemy as sa

from shared.errors import Conflict
from shared.states import Origin
from store.database import Database
from store.followups import forget_followups, job_that_took_from
from store.jobs import require_job
from store.references import References
from store.rows import OPEN_STATES
from store.schema import (
    artifacts,
    attempts,
    documents,
    job_engines,
    jobs,
    page_images,
    pages,
    result_images,
    results,
)

_RESULTS_PER_WRITE = 200  # some 30 ms with their search rows
_PAGES_PER_WRITE = 2000


class Deletion:
    """Removes jobs."""

    def __init__(self, database: Database, references: References) -> None:
        self._database = database
        self._references = references

    def delete(self, job_id: str) -> None:
        """See Store."""
        with self._database.write() as connection:
            job = require_job(connection, job_id)
            if not job.state.is_final:
                raise Conflict(
                    f"Job {job_id} is {job.state.value}; cancel it before you delete it.",
                    code="job_is_open",
                )
            reader = connection.scalar(
                sa.select(jobs.c.id).where(
                    jobs.c.parent == job_id,
                    jobs.c.origin == Origin.POSTPROCESS.value,
                    jobs.c.state.in_(OPEN_STATES),
                )
            )
            if reader is not None:
                raise Conflict(
                    f"Job {reader} reads the results of job {job_id}; wait for it or cancel it.",
                    code="job_in_use",
                )
            taker = job_that_took_from(connection, job_id)
            if taker is not None:
                raise Conflict(
                    f"Job {taker} shows a page that was taken from job {job_id}; take that page "
                    "from elsewhere, or delete that job first.",
                    code="job_in_use",
                )
            hide = sa.update(jobs).where(jobs.c.id == job_id).values(deleted=time.time())
            connection.execute(hide)
        self.purge(job_id)

    def purge(self, job_id: str) -> None:
        """Remove what is left of a hidden job; safe to repeat, also in two processes at once."""
        while self._purge_results(job_id):
            pass
        while self._purge_pages(job_id):
            pass
        self._purge_job(job_id)

    def _purge_results(self, job_id: str) -> bool:
        with self._database.write() as connection:
            batch = sa.select(results.c.id).where(results.c.job == job_id)
            ids = list(connection.scalars(batch.limit(_RESULTS_PER_WRITE)))
            if not ids:
                return False
            named = result_images.c.result.in_(ids)
            blobs = set(connection.scalars(sa.select(result_images.c.sha256).where(named)))
            self._database.dialect.remove_words(connection, ids)
            connection.execute(sa.delete(result_images).where(named))
            connection.execute(sa.delete(results).where(results.c.id.in_(ids)))
        self._references.free(blobs)
        return True

    def _purge_pages(self, job_id: str) -> bool:
        with self._database.write() as connection:
            batch = sa.select(pages.c.page).where(pages.c.job == job_id).order_by(pages.c.page)
            numbers = list(connection.scalars(batch.limit(_PAGES_PER_WRITE)))
            if numbers:
                for table in (attempts, pages):
                    here = (table.c.job == job_id) & (table.c.page <= numbers[-1])
                    connection.execute(sa.delete(table).where(here))
        return bool(numbers)

    def _purge_job(self, job_id: str) -> None:
        blobs: set[str] = set()
        with self._database.write() as connection:
            document = connection.scalar(sa.select(jobs.c.document).where(jobs.c.id == job_id))
            if document is None:
                return
            named = artifacts.c.job == job_id
            blobs.update(connection.scalars(sa.select(artifacts.c.sha256).where(named)))
            connection.execute(sa.delete(artifacts).where(named))
            connection.execute(sa.delete(job_engines).where(job_engines.c.job == job_id))
            forget_followups(connection, job_id)
            connection.execute(sa.delete(jobs).where(jobs.c.id == job_id))
            blobs |= delete_unused_document(connection, document)
        self._references.free(blobs)


def delete_unused_document(connection: sa.Connection, document: str) -> set[str]:
    """Delete a document's rows when it has no job; the blobs that they named."""
    if connection.scalar(sa.select(jobs.c.id).where(jobs.c.document == document).limit(1)):
        return set()
    named = page_images.c.document == document
    blobs = set(connection.scalars(sa.select(page_images.c.sha256).where(named)))
    connection.execute(sa.delete(page_images).where(named))
    connection.execute(sa.delete(documents).where(documents.c.id == document))
    return blobs | {document}
