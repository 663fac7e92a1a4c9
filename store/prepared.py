"""Statements that are made and compiled once, for the commits of results.

SQLAlchemy makes the SQL, which thus fits every database, and no more: values go to the driver as
they are, so none may need converting on its way in or out.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from store.driver import fetch, run_all
from store.page_keys import Key

Values = Mapping[str, Any]

# drivers take and give these as they are; of truth values what comes back is true or not
_PLAIN = (sa.Boolean, sa.Integer, sa.String, sa.Float, sa.LargeBinary, sa.types.NullType)


class Prepared:
    """One statement, without lists in it. Rows come as the driver has them: True may be 1."""

    _make: Callable[[Sequence[Any]], Any] | None = None

    def __init__(
        self,
        statement: sa.Executable,
        columns: Sequence[str] | None = None,
        *,
        items: Sequence[str] = (),
    ) -> None:
        """An insert names the `columns` that it gets; None: all of the table.

        items: values that come as `as_items` writes them. TypeError, when it is first run, for any
        other of a type that SQLAlchemy would convert.
        """
        self._statement, self._items = statement, items
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: sa.Connection, values: Values) -> list[Any]:
        """Run it once: its rows, by name or place."""
        compiled = self._for(connection)
        names, found = fetch(connection, compiled.sql, compiled.parameters(values))
        if self._make is None:
            self._make = _row_of(names)
        return list(map(self._make, found))

    def run_all(self, connection: sa.Connection, rows: Sequence[Values]) -> None:
        """Run it for each of at least one row."""
        compiled = self._for(connection)
        run_all(connection, compiled.sql, [compiled.parameters(row) for row in rows])

    def _for(self, connection: sa.Connection) -> "_Compiled":
        name = connection.dialect.name
        compiled = self._compiled.get(name)
        if compiled is None:
            dialect = connection.dialect
            compiled = _Compiled(self._statement, self._columns, dialect, self._items)
            self._compiled[name] = compiled
        return compiled


class _Compiled:
    """The SQL of one database, and how it wants its values."""

    def __init__(
        self,
        statement: sa.Executable,
        columns: Sequence[str] | None,
        dialect: sa.Dialect,
        items: Sequence[str],
    ) -> None:
        made: Any = statement.compile(  # type: ignore[attr-defined]
            dialect=dialect, column_keys=columns
        )
        _refuse_conversions(statement, made, items)
        self.sql = str(made)
        self._known = {
            name: _as_driver(bind, dialect)
            for bind, name in made.bind_names.items()
            if not bind.required
        }
        self._places = _getter(made.positiontup) if made.positional else None

    def parameters(self, values: Values) -> Any:
        """For the driver: by place or by name, with the constants of the statement."""
        row = {**self._known, **values} if self._known else values
        return self._places(row) if self._places else row


def _refuse_conversions(statement: sa.Executable, made: Any, items: Sequence[str]) -> None:
    """TypeError for a type that SQLAlchemy would convert, on the way in or out."""
    binds = made.bind_names.items()
    coming_in = [bind for bind, name in binds if bind.required and name not in items]
    for column in (*coming_in, *getattr(statement, "selected_columns", ())):
        kind = column.type
        if isinstance(kind, sa.Enum) or not isinstance(kind, _PLAIN):
            raise TypeError(f"{column.key} is {kind!r}: it would have to be converted.")


def _as_driver(constant: sa.BindParameter[Any], dialect: sa.Dialect) -> Any:
    convert = constant.type.dialect_impl(dialect).bind_processor(dialect)
    return convert(constant.value) if convert else constant.value


def _row_of(names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    kind: Any = namedtuple  # noqa: PYI024 - only the query knows its columns
    row = kind("Row", names)
    make: Callable[[Sequence[Any]], Any] = row._make
    return make


def _getter(names: Sequence[str]) -> Callable[[Values], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)


def as_items(values: Iterable[str] | Iterable[Key]) -> str:
    """What `JsonItems` reads, as the driver takes it."""
    return json.dumps(list(values))
