"""Transactions: short ones, writers one after the other, errors in words."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from shared.errors import Misconfigured, OutsideFailed
from shared.settings import Settings
from store.dialects import WRITE, Dialect, dialect_of
from store.disk import disk_full
from store.migration import migrate


class Database:
    """One database, open in this process; safe for threads."""

    def __init__(self, engine: sa.Engine, dialect: Dialect) -> None:
        self.dialect = dialect
        self.engine = engine
        self._reader = dialect.reader(engine)
        self._writer = engine.execution_options(**{WRITE: True})
        # SQLite polls for its lock with growing sleeps; threads of one process can wait better.
        self._turn = threading.Lock()

    @classmethod
    def open(cls, settings: Settings) -> "Database":
        """Connect and migrate. Misconfigured says what is wrong with the database."""
        if settings.database_url:
            try:
                url = sa.make_url(settings.database_url)
            except sa.exc.ArgumentError as error:
                raise Misconfigured(
                    "QUIRE_DATABASE_URL is not a database URL.", param="database_url"
                ) from error
        else:
            path = settings.data.absolute() / "quire.db"
            url = sa.URL.create("sqlite", database=str(path))
        dialect = dialect_of(url)
        shown = url.render_as_string(hide_password=True)
        try:
            engine = dialect.engine(url)
        except ImportError as error:
            raise Misconfigured(
                f"The driver for {shown} is not installed; install quire[postgres].",
                param="database_url",
            ) from error
        try:
            migrate(engine, dialect, settings.data)
        except DBAPIError as error:
            engine.dispose()
            raise Misconfigured(
                f"The database {shown} cannot be used: {error.orig}.", param="database_url"
            ) from error
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, dialect)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the database. OutsideFailed as in `write`."""
        with _in_words(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is the only writer from its first statement on; commits at the end.

        OutsideFailed (`disk_full`, `database_busy`, `database_failed`) when the database cannot.
        """
        with self._turn, _in_words(), self._writer.begin() as connection:
            yield connection

    def checkpoint(self) -> None:
        """Move what is committed from the log to its place, as far as nobody has to wait.

        OutsideFailed as in `write`.
        """
        with _in_words():
            self.dialect.checkpoint(self.engine)

    def tidy(self) -> None:
        """Give freed space back. OutsideFailed as in `write`."""
        with _in_words():
            self.dialect.tidy(self.engine)

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        text = str(error.orig)
        if "full" in text:
            raise disk_full() from error
        if "locked" in text or "busy" in text:
            raise OutsideFailed(
                "Another process has kept the database locked for too long; try again.",
                code="database_busy",
            ) from error
        raise OutsideFailed(f"The database failed: {text}.", code="database_failed") from error
    except sa.exc.DatabaseError as error:
        if type(error) is not sa.exc.DatabaseError:
            raise  # a statement or a row of ours is wrong
        raise OutsideFailed(
            f"The database failed: {error.orig}.", code="database_failed"
        ) from error
