"""The rows that change when pages settle: of `pages`, of what was tried, of their jobs' counts."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from shared.records import PageTask, Retry, Settled
from shared.states import JobState, PageState
from store.attempts import add_attempts, histories
from store.changes import JobChange
from store.job_engines import add_used
from store.page_keys import Key
from store.prepared import as_items
from store.rows import canonical, changed_task, finite, jobs_of, other_than
from store.statements import COUNT, JOB_OF_ID, OPEN_PAGES_OF_KEYS, update_pages
from store.words import clean

Change = Settled | Retry


def check(item: Change) -> None:
    """ValueError for what is not the end of a page, or has no result."""
    if isinstance(item, Retry):
        return
    what = f"page {item.page} of job {item.job} ({item.asked})"
    if not item.state.is_final:
        raise ValueError(f"{what} cannot be settled as {item.state.value}, which is not final")
    if item.state is PageState.DONE and item.result is None:
        raise ValueError(f"{what} is done but has no result")


def open_rows(connection: sa.Connection, batch: Mapping[Key, Change]) -> dict[Key, Any]:
    """The rows of `pages` that are open and in whose turn the item fits, in the batch's order."""
    found = OPEN_PAGES_OF_KEYS.rows(connection, {"keys": as_items(batch)})
    rows = {(row.job, row.page, row.engine): row for row in found}
    return {key: rows[key] for key in batch if key in rows and _fits(batch[key], rows[key])}


def write_pages(
    connection: sa.Connection, fresh: Mapping[Key, Change], rows: Mapping[Key, Any]
) -> dict[Key, dict[str, Any]]:
    """The columns that were set, of each page."""
    now = time.time()
    finals: dict[Key, dict[str, Any]] = {}
    retries: dict[Key, dict[str, Any]] = {}
    for key, item in fresh.items():
        kept = rows[key].kept
        if isinstance(item, Settled):
            finals[key] = _final_row(item, now, kept)
        else:
            retries[key] = _retry_row(item, kept)
    for changed in (finals, retries):
        if changed:
            names = next(iter(changed.values()))
            keyed = [
                {**row, "key_job": key[0], "key_page": key[1], "key_engine": key[2]}
                for key, row in changed.items()
            ]
            update_pages(tuple(names)).run_all(connection, keyed)
    add_used(connection, ((key[0], row["used"]) for key, row in finals.items()))
    add_attempts(connection, ((key, rows[key].kept, item.history) for key, item in fresh.items()))
    return finals | retries


def tasks_of(
    connection: sa.Connection, rows: Mapping[Key, Any], changed: Mapping[Key, dict[str, Any]]
) -> list[PageTask]:
    """The pages as they are now, by page and engine."""
    kept = histories(connection, [key for key, row in changed.items() if row["kept"]])
    tasks = [changed_task(rows[key], row, kept.get(key, ())) for key, row in changed.items()]
    return sorted(tasks, key=lambda task: (task.page, task.asked))


def _fits(item: Change, row: Any) -> bool:
    """A good answer counts whenever it comes; a bad one only for the turn that it ends."""
    if isinstance(item, Settled):
        is_bad = item.state is PageState.FAILED or item.last_resort
        return not is_bad or item.turn is None or bool(item.turn == row.turn)
    return bool(item.turn == row.turn)


def _final_row(item: Settled, now: float, kept: int) -> dict[str, Any]:
    engine = item.engine or (item.result.engine if item.result else "")
    return {
        **_common(item, kept, engine, item.choice, item.rung),
        "state": item.state.value,
        "quarantined": item.quarantined,
        "milliseconds": None if item.milliseconds is None else finite(item.milliseconds),
        "worker": clean(item.worker),
        "reused_from": item.result.reused_from if item.result else None,
        "source": clean(item.result.source) if item.result else "",
        "finished": now,
    }


def _retry_row(item: Retry, kept: int) -> dict[str, Any]:
    route = item.route
    return {
        **_common(item, kept, route.engine, route.choice, route.rung),
        "turn": route.turn,
        "route": canonical(route.to_json()),
    }


def _common(item: Change, kept: int, engine: str, choice: str, rung: str) -> dict[str, Any]:
    return {
        "used": other_than(item.asked, engine),
        "choice": clean(choice),
        "rung": clean(rung)[:16],
        "attempts": item.attempts,
        "crashes": item.crashes,
        "reason": clean(item.reason),
        "reason_type": clean(item.reason_type),
        "kept": kept + len(item.history),
    }


def count(
    connection: sa.Connection, fresh: Mapping[Key, Change], tasks: Sequence[PageTask]
) -> list[JobChange]:
    """Move the counts and revisions of the jobs, and read them back."""
    states: dict[str, dict[str, int]] = {}
    for item in fresh.values():
        counts = states.setdefault(item.job, {"done": 0, "failed": 0, "cancelled": 0})
        if isinstance(item, Settled):
            counts[item.state.value] += 1
    if not states:
        return []
    COUNT.run_all(
        connection,
        [{"key": job, **{f"more_{k}": n for k, n in c.items()}} for job, c in states.items()],
    )
    settled: dict[str, list[PageTask]] = {}
    retried: dict[str, list[PageTask]] = {}
    for task in tasks:
        (settled if task.state.is_final else retried).setdefault(task.job, []).append(task)
    rows = [row for job in states for row in JOB_OF_ID.rows(connection, {"id": job})]
    return [
        JobChange(
            job=job,
            settled=settled.get(job.id, []),
            complete=job.state is JobState.RUNNING and job.counts.pending == 0,
            retried=retried.get(job.id, []),
        )
        for job in jobs_of(connection, rows)
    ]
