"""Rows by the keys of many page tasks, in one statement for any number of them.

The keys travel as one parameter, a JSON array of [job, page, engine], and the table is joined to
them. SQLite then searches the primary key for each; for `(job, page, engine) IN (VALUES ...)` it
reads the whole table, once that has two keys.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from store.dialects import JsonItems

Key = tuple[str, int, str]  # job, page, engine asked for


def of_keys(table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The rows of the keys that `values_of` makes, of a table with `job`, `page` and `engine`."""
    keys = JsonItems(sa.bindparam("keys", type_=sa.JSON)).table_valued(
        sa.column("value", sa.JSON), name="keys"
    )
    key = keys.c.value
    return sa.select(*(columns or table.columns)).select_from(
        sa.join(
            keys,
            table,
            sa.and_(
                table.c.job == key[0].as_string(),
                table.c.page == key[1].as_integer(),
                table.c.engine == key[2].as_string(),
            ),
        )
    )


def values_of(keys: Iterable[Key]) -> dict[str, Any]:
    """The parameters of a statement with `of_keys`."""
    return {"keys": list(keys)}
