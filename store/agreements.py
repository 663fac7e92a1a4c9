"""How far the engines of a job, or two jobs of one document, agree on each page."""

from collections.abc import Sequence

import sqlalchemy as sa

from shared.compare import Agreement, PageAgreement
from store.database import Database
from store.jobs import require_job
from store.schema import agreements, jobs
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
            old = agreements.c.job == job_id, agreements.c.other_job == other_job
            connection.execute(sa.delete(agreements).where(*old))
            if rows:
                connection.execute(sa.insert(agreements), rows)

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


def _page_agreement(row: sa.Row[tuple[str, ...]]) -> PageAgreement:
    measured = Agreement(row.agreement, row.words_in_common, row.order_difference)
    return PageAgreement(row.page, row.engine, row.other_engine, measured)
