"""The rules of health, as ARCHITECTURE writes them."""

import dataclasses

import pytest

from shared.health import BusTable, WorkerStatus
from shared.settings import MIB, Settings
from web.engine_choice import EngineCatalogue
from web.health_report import HealthReport

SETTINGS = Settings(engines=("pymupdf", "mineru"), min_free_mib=10)


def process(role: str, state: str = "ready", engine: str = "", message: str = "") -> WorkerStatus:
    service = f"recognize.{engine}" if engine else role
    return WorkerStatus(f"{engine or role}-1", role, service, 1, "h", state, engine, "", message)


GOOD = (
    process("split"),
    process("collect"),
    process("engine", engine="pymupdf"),
    process("engine", engine="mineru"),
)


def report(
    *changed: WorkerStatus,
    anew: float = 99.0,
    free: int = 11,
    away: bool = False,
    **counters: float,
) -> HealthReport:
    """Everything is well but for these processes, counters and bytes."""
    of = {worker.service: worker for worker in GOOD} | {w.service: w for w in changed}
    table = BusTable("e", 1.0, 1.0, tuple(of.values()), counters=counters)
    catalogue = EngineCatalogue(SETTINGS)
    catalogue.learn(table)
    return HealthReport(
        SETTINGS,
        catalogue,
        None if away else table,
        broker_anew_seconds=anew,
        free_bytes=free * MIB,
    )


def test_all_is_well():
    shown = report(answers_waiting=900, answers_waiting_seconds=0.4).unified("healthy")
    assert shown["status"] == "healthy"
    assert (shown["problems"], shown["message"]) == ([], "")
    assert list(shown)[:5] == [
        "status",
        "deepseek_status",
        "mineru_status",
        "pymupdf_status",
        "timestamp",
    ]


ENGINE_STATES = ["loading", "blocked", "hung", "silent", "lost", "starting", "restarting"]


@pytest.mark.parametrize("state", ENGINE_STATES)
def test_one_engine_that_does_not_work_degrades_the_service(state):
    seen = report(process("engine", state, "mineru", "It says why."))
    shown = seen.unified("healthy")
    assert shown["status"] == "degraded"
    assert shown["mineru_status"] == "unhealthy"
    assert shown["message"] == "It says why."
    assert seen.engine("mineru")["message"] == "It says why."
    assert seen.engine("pymupdf")["status"] == "healthy"


def test_no_engine_that_works_makes_it_unhealthy():
    shown = report(
        process("engine", "loading", "mineru"), process("engine", "lost", "pymupdf")
    ).unified("healthy")
    assert shown["status"] == "unhealthy"


def test_an_engine_that_drains_is_not_healthy_and_not_nothing():
    seen = report(process("engine", "draining", "mineru"), process("engine", "draining", "pymupdf"))
    assert seen.engine("mineru")["status"] == "degraded"
    assert seen.unified("healthy")["status"] == "degraded"


@pytest.mark.parametrize("role", ["split", "collect"])
@pytest.mark.parametrize("state", ["blocked", "silent", "restarting"])
def test_a_stage_that_does_not_work_degrades_it(role, state):
    seen = report(process(role, state, message="The disk is full."))
    shown = seen.unified("healthy")
    assert (shown["status"], shown[role]) == ("degraded", "unhealthy")
    assert "The disk is full." in shown["message"]
    assert "wait to be" in shown["message"]
    assert seen.engine("pymupdf")["problems"][0]["part"] == role


def test_a_collector_that_commits_nothing_is_behind():
    shown = report(answers_waiting=7, answers_waiting_seconds=2.5).unified("healthy")
    assert (shown["status"], shown["collect"]) == ("degraded", "degraded")
    assert "7 answers wait" in shown["message"]
    quiet = report(answers_waiting=0, answers_waiting_seconds=500.0).unified("healthy")
    assert quiet["status"] == "healthy"


def test_a_disk_that_is_nearly_full_degrades_it():
    seen = report(free=9)
    shown = seen.unified("healthy")
    assert (shown["status"], shown["disk"]) == ("degraded", "degraded")
    assert "9 MiB free" in shown["message"]
    assert seen.engine("pymupdf")["problems"][0]["part"] == "disk"


def test_a_new_broker_is_told_for_a_while():
    shown = report(anew=1.0).unified("healthy")
    assert (shown["status"], shown["broker"]) == ("degraded", "degraded")
    assert "started anew 1 s ago" in shown["message"]


@pytest.mark.parametrize(("store", "away"), [("unhealthy", False), ("healthy", True)])
def test_without_broker_or_store_nothing_works(store, away):
    shown = report(away=away, free=9).unified(store)
    assert shown["status"] == "unhealthy"
    assert "does not answer" in shown["message"]
    assert shown["problems"][-1]["part"] == "disk"  # the worst come first


def test_several_processes_of_one_engine_are_counted():
    one = process("engine", "restarting", "mineru", "mineru-2 ended.")
    two = dataclasses.replace(process("engine", "ready", "mineru"), worker="mineru-7", pid=7)
    table = BusTable("e", 1.0, 1.0, (*GOOD[:3], two, one))
    catalogue = EngineCatalogue(SETTINGS)
    seen = HealthReport(SETTINGS, catalogue, table, broker_anew_seconds=9.0, free_bytes=1 << 40)
    assert seen.engine("mineru")["status"] == "degraded"
    assert seen.engine("mineru")["message"] == "mineru-2 ended. (1 of 2 processes.)"
    assert seen.unified("healthy")["status"] == "degraded"


def test_refused_handshakes_are_shown_and_change_nothing():
    shown = report(refused_handshakes=3).unified("healthy")
    assert (shown["status"], shown["refused_handshakes"]) == ("healthy", 3)
