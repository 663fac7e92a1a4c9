"""Page rows and preview images: what split writes."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from shared.records import Job, PageTask
from shared.routing import Route
from shared.states import JobState, PageState
from store.attempts import page_tasks
from store.blobs import BlobStore
from store.database import Database
from store.jobs import require_job
from store.page_keys import values_of
from store.references import References
from store.rows import MAX_NUMBER, OPEN_PAGES, finite, other_than
from store.schema import documents, jobs, page_images, pages
from store.statements import OPEN_OF_KEYS


class Pages:
    """The rows of `pages` and `page_images`."""

    def __init__(self, database: Database, blobs: BlobStore, references: References) -> None:
        self._database = database
        self._blobs = blobs
        self._references = references

    def start(self, job_id: str, document_pages: int, tasks: Sequence[tuple[int, str]]) -> Job:
        """See Store."""
        unique = sorted(set(tasks))
        rows = [
            {
                "job": job_id,
                "page": page,
                "engine": engine,
                "state": PageState.PENDING.value,
                "attempts": 0,
                "crashes": 0,
                "reason": "",
                "reason_type": "",
                "quarantined": False,
                "worker": "",
                "source": "",
                "choice": "",
                "rung": "",
                "turn": 0,
                "kept": 0,
                "route": "",
            }
            for page, engine in unique
        ]
        with self._database.write() as connection:
            job = require_job(connection, job_id)
            if job.state is not JobState.QUEUED:
                return job
            if rows:
                connection.execute(sa.insert(pages), rows)
            _count(connection, job.document.id, document_pages)
            connection.execute(
                sa.update(jobs)
                .where(jobs.c.id == job_id)
                .values(
                    state=JobState.RUNNING.value,
                    total=len(rows),
                    started=time.time(),
                    revision=jobs.c.revision + 1,
                )
            )
            return require_job(connection, job_id)

    def count(self, document_id: str, document_pages: int) -> None:
        """See Store."""
        with self._database.write() as connection:
            _count(connection, document_id, document_pages)

    def tasks(self, job_id: str, after: int, limit: int | None) -> list[PageTask]:
        """See Store."""
        after = min(after, MAX_NUMBER)
        query = sa.select(pages).where(pages.c.job == job_id, pages.c.page > after)
        if limit is not None:
            numbers = (
                sa.select(pages.c.page)
                .where(pages.c.job == job_id, pages.c.page > after)
                .distinct()
                .order_by(pages.c.page)
                .limit(limit)
                .subquery()
            )
            query = query.where(
                pages.c.page <= sa.select(sa.func.max(numbers.c.page)).scalar_subquery()
            )
        with self._database.read() as connection:
            require_job(connection, job_id)
            rows = connection.execute(query.order_by(pages.c.page, pages.c.engine)).all()
            return page_tasks(connection, rows)

    def pending(self, job_id: str, after: tuple[int, str], limit: int) -> list[PageTask]:
        """See Store."""
        behind = sa.tuple_(pages.c.page, pages.c.engine) > sa.tuple_(*map(sa.literal, after))
        query = (
            sa.select(pages)
            .where(pages.c.job == job_id, pages.c.state.in_(OPEN_PAGES), behind)
            .order_by(pages.c.page, pages.c.engine)
            .limit(limit)
        )
        return self._open_tasks(query)

    def still_pending(self, job_id: str, keys: Sequence[tuple[int, str]]) -> list[PageTask]:
        """See Store."""
        query = OPEN_OF_KEYS.order_by(pages.c.page, pages.c.engine)
        wanted = values_of((job_id, page, asked) for page, asked in keys)
        return self._open_tasks(query, wanted) if keys else []

    def _open_tasks(
        self, query: sa.Select[Any], values: Mapping[str, Any] | None = None
    ) -> list[PageTask]:
        with self._database.read() as connection:
            return page_tasks(connection, connection.execute(query, values).all())

    def note_routes(self, job_id: str, routes: Mapping[tuple[int, str], Route]) -> None:
        """See Store."""
        statement = (
            sa.update(pages)
            .where(
                pages.c.job == job_id,
                pages.c.page == sa.bindparam("key_page"),
                pages.c.engine == sa.bindparam("key_engine"),
                pages.c.turn == sa.bindparam("key_turn"),
                sa.or_(*(pages.c.state == state for state in OPEN_PAGES)),
            )
            .values({name: sa.bindparam(name) for name in ("used", "choice", "rung")})
        )
        rows = [
            {
                "key_page": page,
                "key_engine": asked,
                "key_turn": route.turn,
                "used": other_than(asked, route.engine),
                "choice": route.choice,
                "rung": route.rung,
            }
            for (page, asked), route in routes.items()
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(statement, rows)

    def add_images(
        self, document_id: str, images: Mapping[int, str], inks: Mapping[int, float]
    ) -> None:
        """See Store."""
        old: set[str] = set()
        with self._database.write() as connection:
            known = connection.scalar(
                sa.select(documents.c.id).where(documents.c.id == document_id)
            )
            if known is not None and images:  # else the job was deleted while split worked on it
                lost = self._references.require(connection, images.values())
                here = page_images.c.document == document_id
                numbers = page_images.c.page.in_(list(images))
                query = sa.select(page_images.c.sha256).where(here, numbers)
                old = set(connection.scalars(query))
                connection.execute(sa.delete(page_images).where(here, numbers))
                rows = [
                    {
                        "document": document_id,
                        "page": page,
                        "sha256": sha256,
                        "ink": finite(inks.get(page, math.nan)),
                    }
                    for page, sha256 in images.items()
                    if sha256 not in lost
                ]
                if rows:
                    connection.execute(sa.insert(page_images), rows)
        for sha256 in images.values():
            self._blobs.release(sha256)
        self._references.free(old | set(images.values()))

    def image(self, document_id: str, page: int) -> str | None:
        """See Store."""
        if page > MAX_NUMBER:
            return None
        query = sa.select(page_images.c.sha256).where(
            page_images.c.document == document_id, page_images.c.page == page
        )
        with self._database.read() as connection:
            sha256: str | None = connection.scalar(query)
            return sha256

    def look(self, document_id: str, page: int) -> tuple[str | None, float | None]:
        """See Store."""
        query = sa.select(page_images.c.sha256, page_images.c.ink).where(
            page_images.c.document == document_id, page_images.c.page == min(page, MAX_NUMBER)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return (row.sha256, row.ink) if row is not None else (None, None)


def _count(connection: sa.Connection, document_id: str, document_pages: int) -> None:
    here = documents.c.id == document_id
    connection.execute(sa.update(documents).where(here).values(pages=document_pages))
