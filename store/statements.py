"""The statements of each commit of results, made once: making one takes as long as running it."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from store.page_keys import of_keys
from store.prepared import Prepared
from store.rows import JOB_QUERY, OPEN_PAGES
from store.schema import jobs, pages, results

_IS_KEY = (
    pages.c.job == sa.bindparam("key_job"),
    pages.c.page == sa.bindparam("key_page"),
    pages.c.engine == sa.bindparam("key_engine"),
)

OPEN_OF_KEYS = of_keys(pages).where(sa.or_(*(pages.c.state == state for state in OPEN_PAGES)))
OPEN_PAGES_OF_KEYS = Prepared(OPEN_OF_KEYS, items=("keys",))
LAST_RESULT = Prepared(sa.select(sa.func.max(results.c.id).label("last")))
ADD_RESULTS = Prepared(sa.insert(results))
COUNT = Prepared(
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("key"))
    .values(
        done=jobs.c.done + sa.bindparam("more_done"),
        failed=jobs.c.failed + sa.bindparam("more_failed"),
        cancelled=jobs.c.cancelled + sa.bindparam("more_cancelled"),
        revision=jobs.c.revision + 1,
    )
)
JOB_OF_ID = Prepared(JOB_QUERY.where(jobs.c.id == sa.bindparam("id")))

_updates: dict[tuple[str, ...], Prepared] = {}


def update_pages(names: Sequence[str]) -> Prepared:
    """Sets these columns in the page of a row's `key_job`, `key_page` and `key_engine`."""
    known = tuple(names)
    statement = _updates.get(known)
    if statement is None:
        values: dict[Any, Any] = {name: sa.bindparam(name) for name in known}
        statement = _updates[known] = Prepared(sa.update(pages).where(*_IS_KEY).values(values))
    return statement
