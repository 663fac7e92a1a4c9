"""Prepared statements give values to the driver as they are, so they refuse some types."""

import datetime as dt

import pytest
import sqlalchemy as sa

from store.prepared import Prepared, as_items

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer),
    sa.Column("is_on", sa.Boolean),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("extra", sa.JSON),
    sa.Column("at", sa.DateTime),
)


@pytest.fixture
def connection():
    engine = sa.create_engine("sqlite://")
    with engine.connect() as opened:
        TABLE.metadata.create_all(opened)
        yield opened
    engine.dispose()


def test_plain_values_go_through_as_they_are(connection):
    add = Prepared(sa.insert(TABLE), ("name", "number", "is_on"))
    add.run_all(connection, [{"name": "a", "number": 1, "is_on": True}])
    query = sa.select(TABLE.c.name, TABLE.c.number, TABLE.c.is_on)
    assert Prepared(query).rows(connection, {}) == [("a", 1, 1)]


@pytest.mark.parametrize(
    ("column", "value"),
    [("extra", {"a": 1}), ("at", dt.datetime(2026, 1, 1))],  # noqa: DTZ001
)
def test_a_type_that_needs_converting_is_refused_both_ways(connection, column, value):
    with pytest.raises(TypeError, match=column):
        Prepared(sa.insert(TABLE), ("name", column)).run_all(
            connection, [{"name": "a", column: value}]
        )
    with pytest.raises(TypeError, match=column):
        Prepared(sa.select(TABLE.c[column])).rows(connection, {})
    statement = sa.select(TABLE.c.name).where(TABLE.c[column] == sa.bindparam(column))
    with pytest.raises(TypeError, match=column):
        Prepared(statement).rows(connection, {column: value})


def test_items_come_written_and_are_not_converted_again(connection):
    statement = sa.select(sa.bindparam("keys", type_=sa.JSON).label("keys").cast(sa.Text))
    found = Prepared(statement, items=("keys",)).rows(connection, {"keys": as_items(["a"])})
    assert found == [('["a"]',)]
