"""All that differs between SQLite and PostgreSQL: connections, locks, and full-text search."""

import fcntl
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shared.errors import Misconfigured
from store.driver import fetch, run_all
from store.schema import results
from store.words import SOLID, Term, fts_query, index_text

WRITE: Final = "quire_write"  # execution option of connections that will write
_ADVISORY_LOCK = 0x7175697265  # "quire": serialises our writers on one PostgreSQL database
_MIGRATION_LOCK = _ADVISORY_LOCK + 1
_BUSY_SECONDS = 30.0  # longest wait for another process's transaction; ours take milliseconds
_VACUUM_PAGES = 2000  # of 4 KiB in one step, some 20 ms in which nobody else writes
_VACUUM_STEPS = 100  # in one run of the janitor
# The log file is cut back to this after a large transaction; and a commit that finds it so long
# moves it to its place itself, which collect otherwise does beside the commits.
_WAL_BYTES = 64 * 1024 * 1024
_PAGE_BYTES = 4096
_PAGE_SEARCH = sa.table("page_search", sa.column("rowid"), sa.column("words"), sa.column("rank"))


class JsonItems(FunctionElement[Any]):
    """A table of the items of a JSON array, in its column `value`."""

    name = "json_items"
    inherit_cache = True


@compiles(JsonItems, "sqlite")
def _sqlite_items(element: JsonItems, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(JsonItems, "postgresql")
def _postgres_items(element: JsonItems, compiler: Any, **options: Any) -> str:
    return f"json_array_elements({compiler.process(element.clauses, **options)})"


class Dialect(ABC):
    """One kind of database."""

    @abstractmethod
    def engine(self, url: sa.URL) -> sa.Engine:
        """A pooled engine whose transactions begin as this database needs."""

    def reader(self, engine: sa.Engine) -> sa.Engine:
        """The engine for reads: a transaction sees one state of the database."""
        return engine

    @abstractmethod
    def migration_lock(self, engine: sa.Engine, data: Path) -> Any:
        """A context manager that one process at a time is in."""

    def prepare(self, engine: sa.Engine) -> None:  # noqa: B027 - most need nothing
        """Set what must stand before the first table."""

    @abstractmethod
    def create_search(self) -> Sequence[str]:
        """Statements that make the search index, for migrations."""

    def add_words(self, connection: sa.Connection, rows: Sequence[tuple[int, str]]) -> None:  # noqa: B027
        """Index page texts by result id."""

    def remove_words(self, connection: sa.Connection, ids: Sequence[int]) -> None:  # noqa: B027
        """Forget results in the index."""

    @abstractmethod
    def matching(self, terms: list[Term]) -> sa.Select[tuple[int, float]]:
        """Result ids (`id`) and ranks (`rank`, the least is best) of pages with all terms."""

    def checkpoint(self, engine: sa.Engine) -> None:  # noqa: B027 - PostgreSQL has its own
        """Move what is committed from the log to its place, beside writers and readers."""

    def tidy(self, engine: sa.Engine) -> None:  # noqa: B027 - PostgreSQL has autovacuum
        """Give freed space back, in small steps."""


class Sqlite(Dialect):
    """WAL, synchronous=FULL: a commit has reached the disk when it returns."""

    def engine(self, url: sa.URL) -> sa.Engine:
        """Connections that begin their own transactions (pysqlite would begin deferred ones)."""
        engine = sa.create_engine(
            url,
            connect_args={
                "timeout": _BUSY_SECONDS,
                "check_same_thread": False,
                "isolation_level": None,  # no hidden BEGIN: the hook below sends it
            },
            pool_size=8,
            max_overflow=56,  # a thread waits for SQLite, never for the pool
        )
        sa.event.listen(engine, "connect", _set_pragmas)
        sa.event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def migration_lock(self, engine: sa.Engine, data: Path) -> Iterator[None]:
        """A lock on a file, which the kernel gives back when a process dies."""
        del engine
        with (data / "migration.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def prepare(self, engine: sa.Engine) -> None:
        """Check the library and set the modes that a database file keeps."""
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')")
            if cursor.fetchone() != (1,):
                raise Misconfigured(
                    "This Python's SQLite has no full-text search (FTS5). "
                    "Use a Python whose sqlite3 module has it."
                )
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only while it is empty
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.close()
        finally:
            connection.close()

    def create_search(self) -> Sequence[str]:
        """FTS5 keeps its own copy of the words, so that a delete needs nothing but the id."""
        tokenizer = "tokenize = 'unicode61 remove_diacritics 2'"
        return (f"CREATE VIRTUAL TABLE page_search USING fts5(words, {tokenizer})",)

    def add_words(self, connection: sa.Connection, rows: Sequence[tuple[int, str]]) -> None:
        """One row per result that has text."""
        words = [(row, index_text(text)) for row, text in rows if text]
        if words:
            run_all(connection, "INSERT INTO page_search (rowid, words) VALUES (?, ?)", words)

    def remove_words(self, connection: sa.Connection, ids: Sequence[int]) -> None:
        """By row id."""
        if ids:
            connection.exec_driver_sql(
                "DELETE FROM page_search WHERE rowid = ?", [(row,) for row in ids]
            )

    def matching(self, terms: list[Term]) -> sa.Select[tuple[int, float]]:
        """BM25, FTS5's own rank."""
        found = _PAGE_SEARCH
        return sa.select(found.c.rowid.label("id"), found.c.rank.label("rank")).where(
            sa.text("page_search MATCH :fts").bindparams(fts=fts_query(terms))
        )

    def checkpoint(self, engine: sa.Engine) -> None:
        """PASSIVE: as far as it gets without holding anybody up."""
        with engine.connect() as connection:
            fetch(connection, "PRAGMA wal_checkpoint(PASSIVE)")  # outside of any transaction

    def tidy(self, engine: sa.Engine) -> None:
        """Merge a little of the search index and free pages, each step a short transaction."""
        with engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
            merge = "INSERT INTO page_search (page_search, rank) VALUES ('merge', 500)"
            connection.exec_driver_sql(merge)
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            for _ in range(_VACUUM_STEPS):
                # As a script: each freed page is a row, and `execute` would stop at the first.
                cursor.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
                cursor.execute("PRAGMA freelist_count")
                if cursor.fetchall() == [(0,)]:
                    break
            cursor.close()
        finally:
            raw.close()


class Postgres(Dialect):
    """The same promises on a server. Search is plain matching, without ranks."""

    def engine(self, url: sa.URL) -> sa.Engine:
        """Writers queue on one advisory lock, as SQLite's do on the file."""
        engine = sa.create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True)
        sa.event.listen(engine, "begin", _queue_writers)
        return engine

    def reader(self, engine: sa.Engine) -> sa.Engine:
        """Writers stay READ COMMITTED: their snapshot must be younger than their lock."""
        return engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def migration_lock(self, engine: sa.Engine, data: Path) -> Iterator[None]:
        """An advisory lock of the server, given back when the connection ends."""
        del data
        with engine.connect() as connection:
            key = {"key": _MIGRATION_LOCK}
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), key)
            try:
                yield
            finally:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)

    def create_search(self) -> Sequence[str]:
        """Nothing: the texts themselves are searched."""
        return ()

    def matching(self, terms: list[Term]) -> sa.Select[tuple[int, float]]:
        """Newest first; the tokens of a term in order, with anything but letters between."""
        query = sa.select(results.c.id.label("id"), (-results.c.id).label("rank"))
        for term in terms:
            pattern = r"[^[:alnum:]]*".join(term.tokens)  # tokens are letters and digits only
            word_start = rf"(?:\m|(?<=[{SOLID}]))" if term.tokens[0].isascii() else ""
            query = query.where(results.c.text.regexp_match(word_start + pattern, flags="i"))
        return query


def dialect_of(url: sa.URL) -> Dialect:
    """The dialect for a database URL. Misconfigured when it is none of ours."""
    kinds: dict[str, type[Dialect]] = {"sqlite": Sqlite, "postgresql": Postgres}
    kind = kinds.get(url.get_backend_name())
    if kind is None:
        raise Misconfigured(
            f"QUIRE_DATABASE_URL begins with {url.drivername}; sqlite and postgresql+psycopg "
            "are supported.",
            param="database_url",
        )
    return kind()


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {_WAL_BYTES // _PAGE_BYTES}")
    cursor.execute("PRAGMA cache_size = -16000")  # KiB: the hot part of a large index
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A deferred BEGIN that turns into a write fails at once and ignores the busy timeout.
    writes = connection.get_execution_options().get(WRITE)
    fetch(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")


def _queue_writers(connection: sa.Connection) -> None:
    if connection.get_execution_options().get(WRITE):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
