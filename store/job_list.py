"""Looks at jobs: one, a list, a search, what is open, what stands before one."""

import sqlalchemy as sa

from shared.errors import Refused
from shared.records import Job
from shared.states import JobState, Lane
from store.database import Database
from store.ids import cursor_after, job_before_cursor
from store.jobs import require_job
from store.rows import JOB_QUERY, OPEN_STATES, SETTLED, VISIBLE, load_jobs
from store.schema import job_engines, jobs, results
from store.words import clean, fold, parse_query

_MAX_QUERY_CHARACTERS = 1000  # SQLite refuses LIKE patterns over 50,000 bytes


class JobList:
    """Reads the rows of `jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, job_id: str) -> Job:
        """See Store."""
        with self._database.read() as connection:
            return require_job(connection, job_id)

    def page(
        self, state: JobState | None, engine: str | None, q: str, limit: int, cursor: str | None
    ) -> tuple[list[Job], str | None]:
        """See Store."""
        query, key = JOB_QUERY.where(VISIBLE), jobs.c.id
        if engine:  # in the order of the engine's own jobs: it ends at the limit, or with them
            query, key = query.join(job_engines, job_engines.c.job == key), job_engines.c.job
            query = query.where(job_engines.c.engine == clean(engine))
        query = query.order_by(key.desc()).limit(limit + 1)
        if cursor:
            query = query.where(key < job_before_cursor(cursor))
        if state is not None:
            query = query.where(jobs.c.state == state.value)
        if q.strip():
            query = query.where(self._matches(q))
        if limit < 1:
            raise Refused("The limit must be at least 1.", code="bad_limit", param="limit")
        with self._database.read() as connection:
            found = load_jobs(connection, query)
        more = len(found) > limit
        return found[:limit], cursor_after(found[limit - 1].id) if more else None

    def runs(self, job_id: str, limit: int) -> list[Job]:
        """See Store."""
        with self._database.read() as connection:
            job = require_job(connection, job_id)
            query = JOB_QUERY.where(
                jobs.c.document == job.document.id, jobs.c.id != job_id, VISIBLE
            )
            return load_jobs(connection, query.order_by(jobs.c.id.desc()).limit(limit))

    def work_before(self, job_id: str) -> tuple[int, int]:
        """See Store."""
        with self._database.read() as connection:
            job = require_job(connection, job_id)
            lanes = [lane.value for lane in Lane]
            before = lanes[: lanes.index(job.lane.value)]
            query = sa.select(sa.func.count(), sa.func.sum(jobs.c.total - SETTLED)).where(
                jobs.c.state.in_(OPEN_STATES),
                sa.or_(
                    jobs.c.lane.in_(before),
                    sa.and_(jobs.c.lane == job.lane.value, jobs.c.id < job.id),
                ),
            )
            count, unsettled = connection.execute(query).one()
        return int(count), int(unsettled or 0)

    def open_work(self) -> tuple[int, int]:
        """See Store."""
        query = sa.select(sa.func.count(), sa.func.sum(jobs.c.total - SETTLED)).where(
            jobs.c.state.in_(OPEN_STATES)
        )
        with self._database.read() as connection:
            count, unsettled = connection.execute(query).one()
        return int(count), int(unsettled or 0)

    def open(self) -> list[Job]:
        """See Store."""
        query = JOB_QUERY.where(jobs.c.state.in_(OPEN_STATES)).order_by(jobs.c.id)
        with self._database.read() as connection:
            return load_jobs(connection, query)

    def complete(self) -> list[str]:
        """See Store."""
        query = sa.select(jobs.c.id).where(
            jobs.c.state == JobState.RUNNING.value, jobs.c.total == SETTLED
        )
        with self._database.read() as connection:
            return list(connection.scalars(query.order_by(jobs.c.id)))

    def _matches(self, q: str) -> sa.ColumnElement[bool]:
        folded = fold(clean(q.strip()[:_MAX_QUERY_CHARACTERS]))
        matches = jobs.c.name_folded.contains(folded, autoescape=True)
        terms = parse_query(q)
        if not terms:
            return matches
        found = self._database.dialect.matching(terms).subquery()
        in_text = sa.select(results.c.job).join(found, found.c.id == results.c.id)
        return sa.or_(matches, jobs.c.id.in_(in_text))
