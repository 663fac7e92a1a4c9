import json
from dataclasses import fields, replace

import pytest

from shared.health import BusTable, WorkerStatus, as_of, status_of


def worker(name: str, state: str = "ready", role: str = "engine", engine: str = "a"):
    return WorkerStatus(name, role, f"recognize.{engine}", 1, "host", state, engine=engine)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([], "unhealthy"),
        (["ready"], "healthy"),
        (["ready", "draining"], "degraded"),
        (["draining"], "degraded"),
        (["ready", "restarting"], "degraded"),
        (["silent"], "unhealthy"),
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


def test_who_is_silent_since_the_table_was_made_is_shown_as_that():
    fresh = worker("1")
    old = WorkerStatus("2", "engine", "s", 2, "h", "ready", heartbeat_age_seconds=1.5)
    broker = WorkerStatus("b", "broker", "broker", 3, "h", "ready")
    waiting = WorkerStatus("w", "engine", "s", 4, "h", "restarting", message="It ended.")
    table = as_of(BusTable("e", 1.0, 1.0, (fresh, old, broker, waiting)), 1.0, 2.0)
    assert [w.state for w in table.workers] == ["ready", "silent", "ready", "restarting"]
    assert [w.heartbeat_age_seconds for w in table.workers] == [1.0, 2.5, 0.0, 0.0]
    assert "said nothing for 2 s" in table.workers[1].message
    assert table.workers[3].message == "It ended."


def test_an_engine_that_can_do_a_part_of_its_work_is_degraded():
    well, half = worker("a", "ready"), replace(worker("b", "ready"), degraded=True)
    assert status_of([well, half]) == status_of([half]) == "degraded"
