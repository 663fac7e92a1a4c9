"""Brings the database to the schema of this code, also when many processes start at once."""

from pathlib import Path

import sqlalchemy as sa

from shared.errors import Misconfigured
from store.dialects import WRITE, Dialect
from store.schema import REVISION


def migrate(engine: sa.Engine, dialect: Dialect, data: Path) -> None:
    """Run what is missing in one transaction, under a lock.

    Misconfigured when the database was written by a newer version.
    """
    # The look is inside the lock, too: nobody reads a fresh SQLite file while another process
    # switches it to WAL, which needs the file for itself.
    with dialect.migration_lock(engine, data):
        if _revision(engine) == REVISION:
            return
        dialect.prepare(engine)
        _upgrade(engine)


def _revision(engine: sa.Engine) -> str | None:
    """The revision that the database says it has; None for an empty one."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return revision


def _upgrade(engine: sa.Engine) -> None:
    # Imported here: a database that is up to date, the usual case, does not need Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    scripts = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = _revision(engine)
    if current is not None and current not in known:
        raise Misconfigured(
            f"The database has schema {current}, this version of quire knows up to {REVISION}: a "
            "newer quire has written it. Start that version, or restore a backup from before."
        )
    with engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
