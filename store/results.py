"""Page results: written by `settle`, once for each page task, and read back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from shared.errors import NotFound
from shared.records import PageResult, PageTask, Settled
from shared.states import JobState, PageState
from store.blobs import BlobStore
from store.changes import JobChange
from store.database import Database
from store.jobs import require_job
from store.page_keys import Key
from store.references import References
from store.rows import (
    MAX_NUMBER,
    VISIBLE,
    canonical,
    page_result,
    page_task,
    result_row,
)
from store.schema import choices, jobs, pages, result_images, results
from store.settling import Change, check, count, open_rows, tasks_of, write_pages
from store.shown import taken_by
from store.statements import (
    ADD_RESULTS,
    LAST_RESULT,
)
from store.words import clean

_RESULTS_PER_READ = 16  # pages in memory while `results` streams


class Results:
    """The rows of `results`, and the end of a page task's life."""

    def __init__(self, database: Database, blobs: BlobStore, references: References) -> None:
        self._database = database
        self._blobs = blobs
        self._references = references

    def settle(self, batch: Sequence[Change]) -> list[JobChange]:
        """See Store."""
        first: dict[Key, Change] = {}
        for item in batch:
            check(item)
            first.setdefault((item.job, item.page, item.asked), item)
        # Compressing and encoding take longer than writing: before the transaction.
        prepared = {
            key: result_row(item.result)
            for key, item in first.items()
            if isinstance(item, Settled) and item.result
        }
        mentioned = [sha256 for item in batch for sha256 in _images(item)]
        try:
            with self._database.write() as connection:
                rows = open_rows(connection, first)
                fresh = {key: first[key] for key in rows}
                changed = write_pages(connection, fresh, rows)
                self._write_results(connection, fresh, prepared)
                changes = count(connection, fresh, tasks_of(connection, rows, changed))
        finally:
            for sha256 in mentioned:
                self._blobs.release(sha256)
        used = {sha256 for item in fresh.values() for sha256 in _images(item)}
        self._references.free(set(mentioned) - used)
        return changes

    def _write_results(
        self,
        connection: sa.Connection,
        fresh: Mapping[Key, Change],
        prepared: Mapping[Key, dict[str, Any]],
    ) -> None:
        rows = [{"job": key[0], **prepared[key]} for key in fresh if key in prepared]
        if not rows:
            return
        last: int = LAST_RESULT.rows(connection, {})[0].last or 0
        images = {key: _images(fresh[key]) for key in fresh if key in prepared}
        lost = self._references.require(connection, (s for names in images.values() for s in names))
        links: list[dict[str, Any]] = []
        for number, (key, row) in enumerate(zip(images, rows, strict=True), start=last + 1):
            item = fresh[key]
            if lost.intersection(images[key]) and isinstance(item, Settled) and item.result:
                row.update(result_row(_without(item.result, lost)))
            row.update(id=number, job=key[0], page=key[1], engine=key[2])
            kept = dict.fromkeys(s for s in images[key] if s not in lost)
            links += [{"result": number, "sha256": sha256} for sha256 in kept]
        ADD_RESULTS.run_all(connection, rows)
        if links:
            connection.execute(sa.insert(result_images), links)
        self._database.dialect.add_words(connection, [(row["id"], row["text"]) for row in rows])

    def get(self, job_id: str, page: int, engine: str | None) -> PageResult:
        """See Store."""
        with self._database.read() as connection:
            job = require_job(connection, job_id)
            page = min(page, MAX_NUMBER)
            query = sa.select(pages).where(pages.c.job == job_id, pages.c.page == page)
            if engine is not None:
                name = clean(engine)
                query = query.where(sa.or_(pages.c.engine == name, pages.c.used == name))
            tasks = [page_task(row) for row in connection.execute(query.order_by(pages.c.engine))]
            if not tasks and job.state is not JobState.QUEUED:
                by = f" by {engine}" if engine is not None else ""
                raise NotFound(f"Job {job_id} has no page {page}{by}.", code="page_not_found")
            query = sa.select(results).where(results.c.job == job_id, results.c.page == page)
            rows = {row.engine: row for row in connection.execute(query)}
            if engine is None:
                taken = connection.execute(taken_by(job_id).where(choices.c.page == page)).first()
                if taken is not None:
                    return page_result(taken)
        asked = {name: rank for rank, name in enumerate(job.engines)}
        tasks.sort(
            key=lambda t: (
                t.state is not PageState.DONE,
                t.asked != engine,
                asked.get(t.asked, len(asked)),
            )
        )
        for task in tasks:
            if task.asked in rows:
                return page_result(rows[task.asked])
        raise NotFound(_not_ready(page, tasks), code="page_not_ready")

    def stream(self, job_id: str) -> Iterator[PageResult]:
        """See Store."""
        with self._database.read() as connection:
            require_job(connection, job_id)
        return self._chunks(job_id)

    def _chunks(self, job_id: str) -> Iterator[PageResult]:
        # A read transaction for each few pages: one over the whole job would hold back the
        # checkpoints of the write-ahead log for as long as the slowest reader takes.
        after = (0, "")
        while True:
            behind = sa.tuple_(results.c.page, results.c.engine) > sa.tuple_(
                *map(sa.literal, after)
            )
            query = (
                sa.select(results)
                .where(results.c.job == job_id, behind)
                .order_by(results.c.page, results.c.engine)
                .limit(_RESULTS_PER_READ)
            )
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield page_result(row)
            if len(rows) < _RESULTS_PER_READ:
                return
            after = (rows[-1].page, rows[-1].engine)

    def reusable(
        self, document_id: str, page: int, engine: str, options: Mapping[str, Any]
    ) -> PageResult | None:
        """See Store."""
        same_task = sa.and_(
            pages.c.job == results.c.job,
            pages.c.page == results.c.page,
            pages.c.engine == results.c.engine,
        )
        query = (
            sa.select(results)
            .join(jobs, jobs.c.id == results.c.job)
            .join(pages, same_task)
            .where(
                jobs.c.document == document_id,
                VISIBLE,
                results.c.page == page,
                sa.func.coalesce(results.c.used, results.c.engine) == engine,
                results.c.options == canonical(options),
                pages.c.state == PageState.DONE.value,
            )
            .order_by(results.c.id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        result = page_result(row)
        # Held until the new job's row names them: the other job may be deleted meanwhile.
        held = [sha256 for sha256 in result.images if self._blobs.hold(sha256)]
        if len(held) == len(result.images):
            return result
        for sha256 in held:
            self._blobs.release(sha256)
        return None


def _images(item: Change) -> tuple[str, ...]:
    return item.result.images if isinstance(item, Settled) and item.result else ()


def _without(result: PageResult, lost: set[str]) -> PageResult:
    """The page without pictures that are gone: better than no page."""
    blocks = tuple(replace(b, image=None) if b.image in lost else b for b in result.blocks)
    return replace(
        result,
        blocks=blocks,
        images=tuple(sha256 for sha256 in result.images if sha256 not in lost),
        warnings=(*result.warnings, "The picture of a figure was deleted before it was stored."),
    )


def _not_ready(page: int, tasks: Sequence[PageTask]) -> str:
    if not tasks:
        return f"Page {page} is not ready: the document has not been opened yet."
    task = tasks[0]
    if task.state is PageState.FAILED:
        return f"Page {page} has no result: it failed ({task.reason or 'no reason given'})."
    return f"Page {page} has no result: it is {task.state.value}."
