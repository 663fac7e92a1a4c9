"""The attempts at pages that gave no accepted answer: rows of `attempts`, written by `settle`."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from shared.records import PageTask
from shared.routing import Attempt
from store.database import Database
from store.page_keys import Key, of_keys, values_of
from store.rows import MAX_NUMBER, canonical, finite, pack, page_task, unpack
from store.schema import attempts
from store.words import clean

_SHOWN = [column for column in attempts.columns if column.name not in {"text", "answer"}]
_HAS_TEXT = attempts.c.text.is_not(None).label("has_text")
_OF_KEYS = of_keys(attempts, *_SHOWN, _HAS_TEXT).order_by(attempts.c.number)


class Attempts:
    """Reads attempts with what their engines said."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_page(self, job_id: str, page: int, asked: str) -> list[Attempt]:
        """See Store."""
        query = (
            sa.select(attempts, _HAS_TEXT)
            .where(
                attempts.c.job == clean(job_id),
                attempts.c.page == min(page, MAX_NUMBER),
                attempts.c.engine == clean(asked),
            )
            .order_by(attempts.c.number)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            replace(
                _attempt(row),
                text=unpack(row.text).decode() if row.text is not None else None,
                answer=unpack(row.answer) if row.answer is not None else None,
            )
            for row in rows
        ]


def add_attempts(
    connection: sa.Connection, kept: Iterable[tuple[Key, int, Sequence[Attempt]]]
) -> None:
    """Write attempts behind the first so many of each page."""
    rows = [
        _row(key, number, attempt)
        for key, first, history in kept
        for number, attempt in enumerate(history, start=first)
    ]
    if rows:
        connection.execute(sa.insert(attempts), rows)


def page_tasks(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[PageTask]:
    """Page tasks of rows with all columns of `pages`, in their order, with their history."""
    kept = histories(connection, [(row.job, row.page, row.engine) for row in rows if row.kept])
    return [page_task(row, kept.get((row.job, row.page, row.engine), ())) for row in rows]


def histories(connection: sa.Connection, keys: Sequence[Key]) -> dict[Key, list[Attempt]]:
    """The attempts that are kept of pages, hardly ever of one."""
    found: dict[Key, list[Attempt]] = {}
    if keys:
        for row in connection.execute(_OF_KEYS, values_of(keys)):
            found.setdefault((row.job, row.page, row.engine), []).append(_attempt(row))
    return found


def _attempt(row: Any) -> Attempt:
    return Attempt(
        engine=row.used,
        outcome=row.outcome,
        reason=row.reason,
        reason_type=row.reason_type,
        rung=row.rung,
        finding=row.finding,
        options=json.loads(row.options),
        milliseconds=row.milliseconds,
        worker=row.worker,
        at=row.at,
        has_text=bool(row.has_text),
    )


def _row(key: Key, number: int, attempt: Attempt) -> dict[str, Any]:
    text, answer = attempt.text, attempt.answer
    return {
        "job": key[0],
        "page": key[1],
        "engine": key[2],
        "number": number,
        "used": clean(attempt.engine)[:64],
        "rung": clean(attempt.rung)[:16],
        "outcome": clean(attempt.outcome)[:16],
        "finding": clean(attempt.finding),
        "reason": clean(attempt.reason),
        "reason_type": clean(attempt.reason_type),
        "options": canonical(attempt.options),
        "milliseconds": None if attempt.milliseconds is None else finite(attempt.milliseconds),
        "worker": clean(attempt.worker),
        "at": finite(attempt.at) or 0.0,
        "text": None if text is None else pack(text.encode("utf-8", "replace")),
        "answer": None if answer is None else pack(answer),
    }
