"""What a job shows beside its own readings: pages taken from other jobs, and all figures."""

from typing import Any

import sqlalchemy as sa

from shared.records import PageResult
from store.database import Database
from store.jobs import require_job
from store.rows import page_result
from store.schema import choices, result_images, results


class Shown:
    """Reads `choices` and `result_images` together with `results`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def images(self, job_id: str) -> list[str]:
        """See Store."""
        query = (
            sa.select(result_images.c.sha256)
            .join(results, results.c.id == result_images.c.result)
            .where(_shown_by(job_id))
            .distinct()
            .order_by(result_images.c.sha256)
        )
        with self._database.read() as connection:
            require_job(connection, job_id)
            return list(connection.scalars(query))

    def taken(self, job_id: str, page: int) -> PageResult | None:
        """See Store."""
        with self._database.read() as connection:
            row = connection.execute(taken_by(job_id).where(choices.c.page == page)).first()
            return page_result(row) if row is not None else None

    def has_image(self, job_id: str, sha256: str) -> bool:
        """See Store."""
        query = (
            sa.select(sa.literal(1))
            .select_from(result_images)
            .join(results, results.c.id == result_images.c.result)
            .where(result_images.c.sha256 == sha256, _shown_by(job_id))
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.scalar(query) is not None


def taken_by(job_id: str) -> sa.Select[Any]:
    """The results of pages that the job shows although the rule would not choose them."""
    same = sa.and_(
        results.c.job == choices.c.from_job,
        results.c.page == choices.c.page,
        results.c.engine == choices.c.engine,
    )
    return sa.select(results).join(choices, same).where(choices.c.job == job_id)


def _shown_by(job_id: str) -> sa.ColumnElement[bool]:
    """Results of the job, and those of other jobs that pages were taken from."""
    others = taken_by(job_id).with_only_columns(results.c.id)
    return sa.or_(results.c.job == job_id, results.c.id.in_(others))
