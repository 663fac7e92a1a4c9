"""Statements run by the driver itself, in the transaction of a connection of SQLAlchemy.

SQLAlchemy takes 30 to 100 microseconds around each statement, SQLite 5 to run it. Errors come as
SQLAlchemy's, which `store.database` puts into words.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa


def fetch(connection: sa.Connection, sql: str, values: Any = ()) -> tuple[list[str], list[Any]]:
    """Run it once: the names of its columns and its rows; two empty lists where it has none."""
    with _cursor(connection, sql, values) as cursor:
        cursor.execute(sql, values)
        if cursor.description is None:
            return [], []
        return [column[0] for column in cursor.description], cursor.fetchall()


def run_all(connection: sa.Connection, sql: str, rows: Sequence[Any]) -> None:
    """Run it for each of at least one row."""
    with _cursor(connection, sql, rows) as cursor:
        cursor.executemany(sql, rows)


@contextmanager
def _cursor(connection: sa.Connection, sql: str, values: Any) -> Iterator[Any]:
    base = connection.dialect.loaded_dbapi.Error
    try:
        cursor = connection.connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()
    except base as error:
        raise sa.exc.DBAPIError.instance(
            sql, values, error, base, dialect=connection.dialect
        ) from error
