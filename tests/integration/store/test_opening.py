"""A data directory is opened by many processes at once, and refused in words when it cannot be."""

import fcntl
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import Misconfigured, OutsideFailed
from shared.settings import Settings
from store import Store, dialects, schema
from tests.fakes.store_work import done, finished, open_store, queued, started

ROOT = Path(__file__).resolve().parents[3]
CHILD = [sys.executable, "-m", "tests.fakes.store_child"]


def test_six_processes_open_a_fresh_directory_at_once(tmp_path):
    children = [
        subprocess.Popen(
            [*CHILD, "open"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    try:
        assert [child.stdout.readline() for child in children] == ["ready\n"] * 6
        for number in range(12):
            data = tmp_path / f"data {number}%"
            for child in children:
                child.stdin.write(f"{data}\n")
                child.stdin.flush()
            assert [child.stdout.readline() for child in children] == ["ok\n"] * 6
            with sqlite3.connect(data / "quire.db") as connection:
                assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (6,)
                assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
                assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
            connection.close()
    finally:
        for child in children:
            child.stdin.close()
            child.wait(20)
            child.stdout.close()


def test_a_fresh_database_is_not_touched_outside_the_lock(tmp_path):
    # The switch to WAL needs the file for itself.
    stores: list[Store] = []
    opener = threading.Thread(target=lambda: stores.append(open_store(tmp_path)))
    with (tmp_path / "migration.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        opener.start()
        opener.join(0.5)
        assert opener.is_alive()
        assert not (tmp_path / "quire.db").exists()
    opener.join(20)
    stores[0].close()


def test_a_migration_that_was_killed_is_done_again(tmp_path):
    child = subprocess.run([*CHILD, "migration_half_done", tmp_path], cwd=ROOT, check=False)
    assert child.returncode == -9
    store = open_store(tmp_path)
    assert [hit.page for hit in (finished(store) and store.search("words"))] == [1]
    store.close()


def test_what_was_stored_is_there_after_opening_again(tmp_path):
    store = open_store(tmp_path)
    job = finished(store, ["the text"])
    store.close()
    store = open_store(tmp_path)
    assert store.job(job.id) == job
    assert store.page_result(job.id, 1).text == "the text"
    assert [hit.job for hit in store.search("text")] == [job.id]
    store.close()


def test_what_earlier_versions_wrote_is_found_after_the_migration(tmp_path):
    store = open_store(tmp_path)
    job = started(store, engines=["auto", "b"])
    store.settle([replace(done(job, 1, engine="auto"), engine="a")])
    store.close()
    with sqlite3.connect(tmp_path / "quire.db") as connection:
        for name in ("job_engines", "comparisons"):
            connection.execute(f"DROP TABLE {name}")
        connection.execute(
            "INSERT INTO agreements VALUES (?, 'other', 1, 'a', 'b', 1.0, 1.0, NULL)", (job.id,)
        )
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    connection.close()
    store = open_store(tmp_path)
    for name in ("a", "b", "auto"):
        assert [found.id for found in store.jobs(engine=name)[0]] == [job.id]
    assert store.jobs(engine="c") == ([], None)
    store.close()
    with sqlite3.connect(tmp_path / "quire.db") as connection:
        compared = connection.execute("SELECT job, other_job FROM comparisons").fetchall()
    connection.close()
    assert compared == [(job.id, "other")]


def test_a_newer_database_is_refused(tmp_path):
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "quire.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(Misconfigured, match=r"9999.*newer quire"):
        open_store(tmp_path)


@pytest.mark.parametrize("content", [b"this is no database " * 99, b"\0" * 5000])
def test_a_damaged_database_is_refused(tmp_path, content):
    (tmp_path / "quire.db").write_bytes(content)
    with pytest.raises(Misconfigured, match=r"quire\.db cannot be used"):
        open_store(tmp_path)


@pytest.mark.parametrize("name", ["blobs", "tmp", "quire.db", "migration.lock"])
def test_a_directory_that_cannot_be_used_is_refused(tmp_path, name):
    path = tmp_path / name
    path.mkdir() if "." in name else path.write_bytes(b"a file")
    with pytest.raises(Misconfigured, match=r"cannot be used"):
        open_store(tmp_path)


def test_a_data_directory_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misconfigured):
        open_store(tmp_path / "file" / "data")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://u:secret@h/d", "are supported"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/d", "cannot be used"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(tmp_path, url, words):
    with pytest.raises(Misconfigured) as caught:
        Store.open(Settings(data=tmp_path, database_url=url))
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_tables_of_the_code_are_those_of_the_migrations(tmp_path):
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "quire.db") as connection:
        version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        assert version == (schema.REVISION,)
        for table in schema.metadata.sorted_tables:
            info = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
            wanted = [(c.name, not c.nullable) for c in table.columns]
            assert [(row[1], bool(row[3])) for row in info] == wanted
            indexes = {row[1] for row in connection.execute(f"PRAGMA index_list({table.name})")}
            assert {index.name for index in table.indexes} <= indexes
    connection.close()


def test_a_writer_that_blocks_for_too_long_is_said_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(dialects, "_BUSY_SECONDS", 0.05)
    store = open_store(tmp_path)
    blocker = sqlite3.connect(tmp_path / "quire.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutsideFailed) as caught:
        queued(store)
    assert caught.value.code == "database_busy"
    assert store.jobs() == ([], None)  # readers do not wait for writers
    blocker.execute("ROLLBACK")
    blocker.close()
    queued(store)
    store.close()
