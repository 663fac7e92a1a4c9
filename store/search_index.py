"""Search over the text of all pages."""

import sqlalchemy as sa

from shared.errors import Refused
from shared.records import SearchHit
from store.database import Database
from store.rows import MAX_NUMBER, VISIBLE
from store.schema import jobs, results
from store.words import parse_query, snippet


class SearchIndex:
    """Finds pages; `settle` and `delete_job` keep the index in their transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def search(self, q: str, limit: int, offset: int) -> list[SearchHit]:
        """See Store."""
        if limit < 1:
            raise Refused("The limit must be at least 1.", code="bad_limit", param="limit")
        if not 0 <= offset <= MAX_NUMBER:
            raise Refused("The offset is out of range.", code="bad_offset", param="offset")
        terms = parse_query(q)
        if not terms:
            return []
        found = self._database.dialect.matching(terms).subquery()
        query = (
            sa.select(results.c.job, results.c.page, results.c.text)
            .add_columns(sa.func.coalesce(results.c.used, results.c.engine).label("engine"))
            .add_columns(jobs.c.name, jobs.c.created)
            .join(found, found.c.id == results.c.id)
            .join(jobs, jobs.c.id == results.c.job)
            .where(VISIBLE)
            .order_by(found.c.rank, results.c.id.desc())
            .limit(min(limit, MAX_NUMBER))
            .offset(offset)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            SearchHit(
                job=row.job,
                document_name=row.name,
                page=row.page,
                engine=row.engine,
                snippet=snippet(row.text, terms),
                created=row.created,
            )
            for row in rows
        ]
