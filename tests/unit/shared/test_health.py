import json
from dataclasses import fields

import pytest

from shared.health import BusTable, WorkerStatus, status_of


def worker(name: str, state: str = "ready", role: str = "engine", engine: str = "a"):
    return WorkerStatus(name, role, f"recognize.{engine}", 1, "host", state, engine=engine)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([], "unhealthy"),
        (["ready"], "healthy"),
        (["ready", "draining"], "healthy"),
        (["ready", "loading"], "degraded"),
        (["ready", "lost"], "degraded"),
        (["loading"], "unhealthy"),
        (["blocked", "lost"], "unhealthy"),
    ],
)
def test_an_engine_is_as_healthy_as_its_processes(states, status):
    assert status_of(worker(str(n), state) for n, state in enumerate(states)) == status


def test_the_table_finds_processes_by_engine_and_role():
    one, two = worker("1"), worker("2", engine="b")
    split = worker("3", role="split", engine="")
    table = BusTable("e", 1.0, 1.0, (one, two, split))
    assert table.of_engine("a") == (one,)
    assert table.of_engine("") == ()
    assert table.of_role("split") == (split,)


def test_a_process_is_shown_with_all_its_fields():
    data = worker("1").to_json()
    assert set(data) == {field.name for field in fields(WorkerStatus)}
    assert json.loads(json.dumps(data)) == data
