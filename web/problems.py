"""What is wrong with the service now: rules over the broker's table, the store and the disk.

ARCHITECTURE.md has the table of these rules.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.health import DEGRADED, HEALTHY, UNHEALTHY, BusTable, WorkerStatus, status_of
from shared.settings import MIB, Settings

BROKER_AWAY = (
    "The broker does not answer: uploads are stored and wait, results stay readable. "
    "`quire up` restarts it; otherwise start `python -m deploy broker`."
)
STORE_AWAY = "The database does not answer: look at the disk of the data directory and at its log."
ANEW_SECONDS = 5.0  # the others join a new broker within two
BEHIND_SECONDS = 1.5  # collect commits within milliseconds; told within two heartbeats
NEEDED_ROLES = ("split", "collect")
_WHAT_STOPS = {
    "split": "documents wait to be opened",
    "collect": "answers wait to be committed, and engines stop when too many do",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: with which part, how bad, and a sentence on what to do."""

    part: str
    status: str
    message: str

    def to_json(self) -> dict[str, str]:
        """As health shows it."""
        return {"part": self.part, "status": self.status, "message": self.message}


def broker_problems(table: BusTable | None, anew_seconds: float) -> Iterator[Problem]:
    """Of the broker: away, or just started anew."""
    if table is None:
        yield Problem("broker", UNHEALTHY, BROKER_AWAY)
    elif anew_seconds < ANEW_SECONDS:
        sentence = (
            f"The broker was started anew {anew_seconds:.0f} s ago: the processes join it again "
            "with the pages that they hold, and nothing is lost."
        )
        yield Problem("broker", DEGRADED, sentence)


def role_problems(table: BusTable) -> Iterator[Problem]:
    """Of split and collect: missing, silent, blocked, behind."""
    for role in NEEDED_ROLES:
        workers = table.of_role(role)
        status = status_of(workers)
        if status != HEALTHY:
            stops = _WHAT_STOPS[role] if status == UNHEALTHY else ""
            yield Problem(role, status, worst_message(role, workers, stops))
    waiting = table.counters.get("answers_waiting", 0)
    seconds = table.counters.get("answers_waiting_seconds", 0)
    if waiting and seconds > BEHIND_SECONDS and status_of(table.of_role("collect")) == HEALTHY:
        sentence = (
            f"Collect is behind: {waiting} answers wait, and none was committed for {seconds:.0f} "
            "s. Is the disk slow, or another program in the database?"
        )
        yield Problem("collect", DEGRADED, sentence)


def store_problems(store_status: str) -> Iterator[Problem]:
    """Of the database."""
    if store_status != HEALTHY:
        yield Problem("store", store_status, STORE_AWAY)


def disk_problems(settings: Settings, free_bytes: int) -> Iterator[Problem]:
    """Of the disk: so little is free that uploads are refused."""
    sentence = disk_sentence(settings, free_bytes)
    if sentence:
        yield Problem("disk", DEGRADED, sentence)


def disk_sentence(settings: Settings, free_bytes: int) -> str:
    """What to do about the disk; "" when there is room."""
    if free_bytes >= settings.min_free_mib * MIB:
        return ""
    return (
        f"The disk of the data directory has {free_bytes // MIB} MiB free: uploads are refused "
        f"below {settings.min_free_mib} MiB (QUIRE_MIN_FREE_MIB). Make room there."
    )


def engine_problems(engines: Mapping[str, tuple[str, str]]) -> Iterator[Problem]:
    """Of engines, by name: (status, message)."""
    for name, (status, message) in engines.items():
        if status in {DEGRADED, UNHEALTHY}:
            yield Problem(name, status, message)


def overall(problems: Iterable[Problem], engine_states: Iterable[str]) -> str:
    """Unhealthy: broker or store away, or no engine that works. Degraded: any other problem."""
    problems, states = list(problems), set(engine_states)
    fatal = {problem.part for problem in problems if problem.status == UNHEALTHY}
    if {"broker", "store"} & fatal or states == {UNHEALTHY}:
        return UNHEALTHY
    return DEGRADED if problems else HEALTHY


def worst_message(name: str, workers: tuple[WorkerStatus, ...], stops: str = "") -> str:
    """Why these processes are not all ready: what the first of those that are not says."""
    if not workers:
        tail = f": {stops}" if stops else ""
        return f"No process of {name} is on the bus{tail}. Look at its log, or start one."
    bad = [worker for worker in workers if worker.state != "ready" or worker.degraded]
    said = [w.message or f"{w.worker} is {w.state}." for w in bad]
    if not said:
        return ""
    more = f" ({len(bad)} of {len(workers)} processes.)" if len(workers) > 1 else ""
    return f"{said[0]}{more}" + (f" Meanwhile {stops}." if stops else "")
