"""The statements of each commit of results, made once: making one takes as long as running it."""

from typing import Any

import sqlalchemy as sa

from store.page_keys import of_keys
from store.rows import JOB_QUERY, OPEN_PAGES
from store.schema import jobs, pages, results

_IS_KEY = (
    pages.c.job == sa.bindparam("key_job"),
    pages.c.page == sa.bindparam("key_page"),
    pages.c.engine == sa.bindparam("key_engine"),
)

TURNS_OF_KEYS = of_keys(
    pages, pages.c.job, pages.c.page, pages.c.engine, pages.c.turn, pages.c.kept
).where(pages.c.state.in_(OPEN_PAGES))
OF_KEYS = of_keys(pages)
OPEN_OF_KEYS = OF_KEYS.where(pages.c.state.in_(OPEN_PAGES))
LAST_RESULT = sa.select(sa.func.max(results.c.id))
ADD_RESULTS = sa.insert(results)
JOBS_OF_IDS = JOB_QUERY.where(jobs.c.id.in_(sa.bindparam("ids", expanding=True)))
COUNT = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("key"))
    .values(
        done=jobs.c.done + sa.bindparam("more_done"),
        failed=jobs.c.failed + sa.bindparam("more_failed"),
        cancelled=jobs.c.cancelled + sa.bindparam("more_cancelled"),
        revision=jobs.c.revision + 1,
    )
)

_updates: dict[tuple[str, ...], sa.Update] = {}


def update_pages(row: dict[str, Any]) -> sa.Update:
    """Sets the columns that the row names, beside the key, in the page of its key."""
    names = tuple(name for name in row if not name.startswith("key_"))
    statement = _updates.get(names)
    if statement is None:
        values: dict[Any, Any] = {name: sa.bindparam(name) for name in names}
        statement = _updates[names] = sa.update(pages).where(*_IS_KEY).values(values)
    return statement
