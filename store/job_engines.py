"""The engines of a job: those asked for, and those that ended its pages in their place."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from store.schema import job_engines

_KNOWN = sa.select(job_engines.c.job).where(
    job_engines.c.engine == sa.bindparam("name"), job_engines.c.job == sa.bindparam("key")
)
_ADD = sa.insert(job_engines).from_select(
    ["engine", "job"],
    sa.select(
        sa.bindparam("name", type_=sa.Text).label("engine"),
        sa.bindparam("key", type_=sa.String(26)).label("job"),
    ).where(~_KNOWN.exists()),
)


def add_asked(connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Those that new rows of `jobs` ask for."""
    pairs = {(name, row["id"]): None for row in rows for name in row["engine"].split(",") if name}
    if pairs:
        new = [{"engine": name, "job": job} for name, job in pairs]
        connection.execute(sa.insert(job_engines), new)


def add_used(connection: sa.Connection, used: Iterable[tuple[str, str | None]]) -> None:
    """Those that pages of jobs were read by in place of what was asked for, where new."""
    pairs = dict.fromkeys((job, name) for job, name in used if name)
    if pairs:
        connection.execute(_ADD, [{"name": name, "key": job} for job, name in pairs])
