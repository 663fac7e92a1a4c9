"""How SQLite finds the rows of what runs often: by keys and indexes, never a whole table."""

import re
from collections.abc import Callable

import pytest

from shared.records import Retry
from shared.routing import Attempt, Route
from store import Store
from store.database import Database
from tests.fakes.store_work import ENGINE, done, finished, open_store, started, statements_of


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def plan_of(store: Store, call: Callable[[], object]) -> list[str]:
    """The steps of all statements that a call runs, as SQLite explains them."""
    database: Database = store._database
    ran: dict[str, str] = {}  # an example of each: written out, all of an executemany differ

    with statements_of(store) as all_that_ran:
        call()
    for statement in all_that_ran:
        own_of_fts = "page_search_" in statement
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and not own_of_fts:
            ran.setdefault(re.sub(r"'(?:[^']|'')*'|\b[\d.]+\b", "?", statement), statement)
    steps: list[str] = []
    with database.engine.connect() as connection:
        for statement in ran.values():
            rows = connection.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement)
            steps += [detail for _, _, _, detail in rows]
    assert steps
    return steps


def scans(steps: list[str]) -> list[str]:
    """The steps that read all of a table; a list of keys is no table."""
    return [step for step in steps if step.startswith("SCAN ") and "keys VIRTUAL" not in step]


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_commit_searches_the_whole_key_of_each_page(store, count):
    job = started(store, pages=count)
    steps = plan_of(store, lambda: store.settle([done(job, n) for n in range(1, count + 1)]))
    assert scans(steps) == []
    of_pages = [step for step in steps if " pages " in step]
    whole = "SEARCH pages USING PRIMARY KEY (job=? AND page=? AND engine=?)"
    assert of_pages == [whole] * 2  # what is open, and the write


def test_retried_pages_and_their_attempts_are_searched_by_key(store):
    job = started(store, pages=2)
    refused = Attempt(ENGINE, "failed", reason="It is cut off.")
    again = [
        Retry(job.id, page, ENGINE, 0, Route(ENGINE, turn=1), history=(refused,)) for page in (1, 2)
    ]
    steps = plan_of(store, lambda: store.settle(again))
    assert scans(steps) == []
    key = "(job=? AND page=? AND engine=?)"
    assert any(step.startswith("SEARCH attempts") and key in step for step in steps)


def test_pages_that_are_still_open_are_searched_by_key(store):
    job = started(store, pages=3)
    steps = plan_of(store, lambda: store.still_pending(job.id, [(1, ENGINE), (2, ENGINE)]))
    assert scans(steps) == []
    assert "SEARCH pages USING PRIMARY KEY (job=? AND page=? AND engine=?)" in steps


def test_jobs_and_wishes_are_found_without_walking_all_visible_jobs(store):
    finished(store)
    assert scans(plan_of(store, store.wishes)) == ["SCAN wanted"]
    steps = plan_of(store, lambda: store.jobs(limit=6))
    assert "SCAN jobs USING INDEX sqlite_autoindex_jobs_1" in steps  # by id: it ends at the limit
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize("cursor", [False, True])
def test_jobs_of_an_engine_are_walked_in_their_own_order(store, cursor):
    for _ in range(3):
        finished(store)
    after = store.jobs(limit=1)[1] if cursor else None
    steps = plan_of(store, lambda: store.jobs(engine=ENGINE, limit=1, cursor=after))
    assert scans(steps) == []
    assert any(step.startswith("SEARCH job_engines USING PRIMARY KEY (engine=?") for step in steps)
    assert not [step for step in steps if "TEMP B-TREE" in step or " pages " in step]


def test_the_janitor_finds_hidden_jobs_by_their_index(store):
    steps = plan_of(store, lambda: store.sweep(older_than_seconds=0))
    hidden = "SEARCH jobs USING INDEX jobs_by_deleted (deleted<?)"
    assert hidden in steps
