"""Records from rows and rows from records."""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from shared.blocks import Block
from shared.records import Counts, Document, Failure, Job, PageResult, PageTask
from shared.routing import Attempt, Route
from shared.states import JobState, Lane, Origin, PageState
from store.schema import artifacts, documents, jobs
from store.words import clean

MAX_NUMBER = 2**31 - 1  # the largest page number that every database's columns take
_LEVEL = 1  # zlib: three times the speed of the default for a tenth more bytes
_SHORT = 200  # bytes: setting zlib up takes longer than it ever saves on less
_PLAIN = b"\0"  # before what is not compressed; no zlib stream begins so

# made once: `json.dumps` with arguments makes an encoder for each call
_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

JOB_QUERY = sa.select(
    jobs,
    documents.c.media_type,
    documents.c.size_bytes,
    documents.c.pages.label("document_pages"),
).join(documents, documents.c.id == jobs.c.document)

VISIBLE = jobs.c.deleted.is_(None)
SETTLED = jobs.c.done + jobs.c.failed + jobs.c.cancelled
OPEN_STATES = (JobState.QUEUED.value, JobState.RUNNING.value)
OPEN_PAGES = (PageState.PENDING.value, PageState.RUNNING.value)


def canonical(values: Mapping[str, Any]) -> str:
    """JSON that is equal when the values are: sorted keys, no spaces."""
    return _SORTED.encode(values) if values else "{}"


def finite(number: float) -> float | None:
    """The number, or None for NaN and infinities, which columns and JSON refuse."""
    return number if math.isfinite(number) else None


def pack(data: bytes) -> bytes:
    """Compressed for a column."""
    return zlib.compress(data, _LEVEL) if len(data) > _SHORT else _PLAIN + data


def unpack(data: bytes) -> bytes:
    """What was packed."""
    return data[1:] if data[:1] == _PLAIN else zlib.decompress(data)


def load_jobs(connection: sa.Connection, query: sa.Select[Any]) -> list[Job]:
    """The jobs of a query made from JOB_QUERY, in its order, with their artifacts."""
    return jobs_of(connection, connection.execute(query).all())


def jobs_of(connection: sa.Connection, rows: Sequence[Any]) -> list[Job]:
    """The jobs of rows with the columns of JOB_QUERY, with their artifacts."""
    files: dict[str, dict[str, str]] = {}
    ids = [row.id for row in rows if row.state not in OPEN_STATES]  # open jobs have none
    for start in range(0, len(ids), 500):
        wanted = sa.select(artifacts).where(artifacts.c.job.in_(ids[start : start + 500]))
        for row in connection.execute(wanted):
            files.setdefault(row.job, {})[row.format] = row.sha256
    return [_job(row, files.get(row.id, {})) for row in rows]


def _job(row: Any, files: Mapping[str, str]) -> Job:
    settled = row.done + row.failed + row.cancelled
    return Job(
        id=row.id,
        document=Document(
            id=row.document,
            name=row.name,
            media_type=row.media_type,
            bytes=row.size_bytes,
            pages=row.document_pages,
        ),
        state=JobState(row.state),
        engine=row.engine,
        options=json.loads(row.options),
        pages=row.pages,
        lane=Lane(row.lane),
        origin=Origin(row.origin),
        parent=row.parent,
        reuse=bool(row.reuse),
        counts=Counts(
            total=row.total,
            pending=row.total - settled,
            done=row.done,
            failed=row.failed,
            cancelled=row.cancelled,
        ),
        failure=Failure(row.failure_type, row.failure_message) if row.failure_type else None,
        revision=row.revision,
        created=row.created,
        started=row.started,
        finished=row.finished,
        artifacts=files,
    )


def page_task(row: sa.Row[Any], history: Sequence[Attempt] = ()) -> PageTask:
    """From a row with all columns of `pages`, and the attempts that are kept of it."""
    return changed_task(row, {}, history)


def changed_task(row: Any, changed: Mapping[str, Any], history: Sequence[Attempt] = ()) -> PageTask:
    """As `page_task`, of any named tuple, after these columns were set.

    Made from what was written: reading the row again takes longer.
    """
    now: dict[str, Any] = dict(zip(row._fields, row, strict=True))
    now.update(changed)
    asked, route = now["engine"], now["route"]
    engine = now["used"] or asked
    return PageTask(
        job=now["job"],
        page=now["page"],
        engine=engine,
        state=PageState(now["state"]),
        attempts=now["attempts"],
        crashes=now["crashes"],
        reason=now["reason"],
        reason_type=now["reason_type"],
        quarantined=bool(now["quarantined"]),
        milliseconds=now["milliseconds"],
        reused_from=now["reused_from"],
        worker=now["worker"],
        source=now["source"],
        finished=now["finished"],
        asked=asked,
        choice=now["choice"],
        rung=now["rung"],
        turn=now["turn"],
        route=Route.from_json(json.loads(route), engine) if route else None,
        history=tuple(history),
    )


def other_than(asked: str, engine: str) -> str | None:
    """The engine as the column `used` has it: null where it is the one asked for."""
    name = clean(engine)[:64]
    return name if name and name != asked else None


def result_row(result: PageResult) -> dict[str, Any]:
    """The columns of `results`, without the id; this is where the CPU time of a page goes.

    Cleaned of what a database refuses: one odd page must not fail a batch for ever.
    """
    blocks = [block.to_json() for block in result.blocks]
    encoded = _COMPACT.encode(blocks)
    return {
        "job": result.job,
        "page": result.page,
        "engine": result.asked,
        "used": other_than(result.asked, result.engine),
        "text": clean(result.text),
        "markdown": pack(result.markdown.encode("utf-8", "replace")),
        "blocks": pack(encoded.encode("utf-8", "replace")),
        "raw": pack(result.raw),
        "raw_media_type": clean(result.raw_media_type),
        "width": finite(result.width) or 0.0,
        "height": finite(result.height) or 0.0,
        "source": clean(result.source),
        "turned_degrees": result.turned_degrees,
        "skew_degrees": finite(result.skew_degrees) or 0.0,
        "images": json.dumps(list(result.images)),
        "timings": canonical({clean(k): finite(v) or 0.0 for k, v in result.timings.items()}),
        "warnings": json.dumps([clean(warning) for warning in result.warnings]),
        "model": clean(result.model),
        "options": canonical(result.options),
        "reused_from": result.reused_from,
    }


def page_result(row: sa.Row[Any]) -> PageResult:
    """From a row with all columns of `results`."""
    blocks = json.loads(unpack(row.blocks))
    return PageResult(
        job=row.job,
        page=row.page,
        engine=row.used or row.engine,
        asked=row.engine,
        blocks=tuple(Block.from_json(block) for block in blocks),
        markdown=unpack(row.markdown).decode(),
        text=row.text,
        raw=unpack(row.raw),
        raw_media_type=row.raw_media_type,
        width=row.width,
        height=row.height,
        source=row.source,
        turned_degrees=row.turned_degrees,
        skew_degrees=row.skew_degrees,
        images=tuple(json.loads(row.images)),
        timings=json.loads(row.timings),
        warnings=tuple(json.loads(row.warnings)),
        model=row.model,
        options=json.loads(row.options),
        reused_from=row.reused_from,
    )
