"""How far the engines of a job, or two jobs of one document, agree on each page."""

from collections.abc import Sequence

import sqlalchemy as sa

from shared.compare import Agreement, PageAgreement
from shared.states import JobState
from store.database import Database
from store.jobs import require_job
from store.rows import OPEN_STATES, SETTLED, VISIBLE
from store.schema import agreements, comparisons, jobs
from store.words import clean


class Agreements:
    """The rows of `agreements`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, job_id: str, other_job: str, measured: Sequence[PageAgreement]) -> None:
        """See Store."""
        rows = [
            {
                "job": job_id,
                "other_job": other_job,
                "page": item.page,
                "engine": clean(item.engine),
                "other_engine": clean(item.other_engine),
                "agreement": item.measured.agreement,
                "words_in_common": item.measured.words_in_common,
                "order_difference": item.measured.order_difference,
            }
            for item in measured
        ]
        with self._database.write() as connection:
            known = sa.select(jobs.c.id).where(jobs.c.id == job_id)
            if connection.scalar(known) is None:
                return  # deleted while its pages were compared
            for table in (agreements, comparisons):
                old = table.c.job == job_id, table.c.other_job == other_job
                connection.execute(sa.delete(table).where(*old))
            if rows:
                connection.execute(sa.insert(agreements), rows)
            if _is_read(connection, job_id) and _is_read(connection, other_job):
                made = {"job": job_id, "other_job": other_job}
                connection.execute(sa.insert(comparisons), made)

    def worst(
        self, job_id: str, other_job: str, limit: int, offset: int
    ) -> tuple[list[PageAgreement], int]:
        """See Store."""
        here = agreements.c.job == job_id, agreements.c.other_job == other_job
        query = (
            sa.select(agreements)
            .where(*here)
            .order_by(agreements.c.agreement, agreements.c.page, agreements.c.engine)
            .order_by(agreements.c.other_engine)
            .limit(limit)
            .offset(offset)
        )
        with self._database.read() as connection:
            require_job(connection, job_id)
            count = connection.scalar(sa.select(sa.func.count()).where(*here)) or 0
            return [_page_agreement(row) for row in connection.execute(query)], int(count)


def is_compared(connection: sa.Connection, job_id: str, other_job: str) -> bool:
    """Whether all pages of both jobs were compared, also when that gave no agreement."""
    made = comparisons.c.job == job_id, comparisons.c.other_job == other_job
    return connection.scalar(sa.select(comparisons.c.job).where(*made)) is not None


def _is_read(connection: sa.Connection, job_id: str) -> bool:
    """Whether no page of the job is open: what is read of it now is all."""
    is_settled = sa.or_(
        jobs.c.state.not_in(OPEN_STATES),
        sa.and_(jobs.c.state == JobState.RUNNING.value, jobs.c.total == SETTLED),
    )
    query = sa.select(jobs.c.id).where(jobs.c.id == job_id, VISIBLE, is_settled)
    return connection.scalar(query) is not None


def _page_agreement(row: sa.Row[tuple[str, ...]]) -> PageAgreement:
    measured = Agreement(row.agreement, row.words_in_common, row.order_difference)
    return PageAgreement(row.page, row.engine, row.other_engine, measured)
