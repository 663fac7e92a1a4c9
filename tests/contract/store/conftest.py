"""Each test of this folder runs on SQLite and, where its server is installed, on PostgreSQL."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from store import Store
from store.schema import metadata
from tests.fakes.store_work import open_store


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A migrated, empty database file: copying it is faster than migrating."""
    data = tmp_path_factory.mktemp("template")
    open_store(data).close()
    return data / "quire.db"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory) -> Iterator[str]:
    """A server of our own on a Unix socket; `{}` in the URL is the name of the database."""
    initdb, postgres = _program("initdb"), _program("postgres")
    if not (initdb and postgres):
        _missing("PostgreSQL (initdb, postgres) is not installed")
    user: str | None = None
    if os.geteuid() == 0:  # the server refuses to run as root
        user = "postgres"
        try:
            pwd.getpwnam(user)
        except KeyError:
            _missing("PostgreSQL does not run as root and there is no user postgres")
    # The socket's path may have 107 bytes, and the server's user must reach it.
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if user:
        shutil.chown(folder, user)
    make = [str(initdb), "-D", str(folder / "db"), "-U", "quire", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run(make, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
    options = ("fsync=off", "synchronous_commit=off", "listen_addresses=", "max_connections=200")
    command = [str(postgres), "-D", str(folder / "db"), "-k", str(folder)]
    for option in options:
        command += ["-c", option]
    log = folder / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, user=user, stdout=out, stderr=out, cwd=folder)
    try:
        yield f"postgresql+psycopg://quire@/{{}}?host={folder}"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_tables(postgres_url, tmp_path_factory) -> str:
    """The URL of a database that has our tables."""
    _run_sql(postgres_url.format("postgres"), "CREATE DATABASE quire")
    url = postgres_url.format("quire")
    open_store(tmp_path_factory.mktemp("pg"), url).close()
    return url


def _program(name: str) -> str | None:
    """Debian keeps the server's programs out of PATH, by version."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=":".join(map(str, places))) or shutil.which(name)


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def _run_sql(url: str, statement: str) -> None:
    plain = url.replace("+psycopg", "")
    for attempt in range(200):
        try:
            with psycopg.connect(plain, autocommit=True) as connection:
                connection.execute(statement.encode())
        except psycopg.OperationalError:
            if attempt == 199:
                raise
            # The server is starting; libpq offers nothing to wait on.
            subprocess.run(["sleep", "0.1"], check=True)
        else:
            return


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path) -> Iterator[Store]:
    url = ""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        (tmp_path / "data").mkdir()
        shutil.copy(template, tmp_path / "data" / "quire.db")
    else:
        url = request.getfixturevalue("postgres_tables")
        _run_sql(url, "TRUNCATE " + ", ".join(metadata.tables))
    opened = open_store(tmp_path / "data", url)
    yield opened
    opened.close()
