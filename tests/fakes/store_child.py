"""A process that works on a store and dies: `python -m tests.fakes.store_child STEP DATA`.

Every step ends with SIGKILL to itself, at the point that its name says; what it says before goes
to stdout. `open` instead reads directories from stdin and answers each with `ok` or the error.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from store import Store, migration
from store.deletion import Deletion
from store.dialects import Sqlite
from store.references import References
from tests.fakes.store_work import done, finished, open_store, queued, started, upload


def die(*_args: object) -> None:
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def upload_half_written(store: Store) -> None:
    writer = store.blobs.writer()
    writer.write(b"half" * 100_000)


def blob_without_row(store: Store) -> None:
    store.blobs.put(b"nobody knows me")


def document_without_job(store: Store) -> None:
    upload(store, b"%PDF an upload")


def previews_without_row(store: Store) -> None:
    print(queued(store).id)
    store.blobs.put(b"preview")


def settle_in_transaction(store: Store) -> None:
    job = started(store, pages=2)
    print(job.id)
    crop = store.blobs.put(b"crop")
    Sqlite.add_words = die  # type: ignore[method-assign]
    store.settle([done(job, 1, images=(crop,))])


def settled_not_finished(store: Store) -> None:
    job = started(store, pages=2)
    print(job.id)
    crop = store.blobs.put(b"crop")
    store.settle([done(job, 1, images=(crop,)), done(job, 2)])


def artifacts_not_named(store: Store) -> None:
    settled_not_finished(store)
    store.blobs.put(b"merged by the dead process")


def delete_hidden(store: Store) -> None:
    Deletion.purge = die  # type: ignore[assignment,method-assign]
    _delete(store)


def delete_without_results(store: Store) -> None:
    Deletion._purge_pages = die  # type: ignore[assignment,method-assign]
    _delete(store)


def delete_without_rows(store: Store) -> None:
    job = _deletable(store)
    free, calls = References.free, []

    def free_or_die(self, blobs):  # the second call comes when all rows are gone
        calls.append(blobs)
        return free(self, blobs) if len(calls) == 1 else die()

    References.free = free_or_die  # type: ignore[method-assign]
    store.delete_job(job)


def _delete(store: Store) -> None:
    store.delete_job(_deletable(store))


def _deletable(store: Store) -> str:
    job = started(store, pages=1)
    crop, preview = store.blobs.put(b"crop"), store.blobs.put(b"preview")
    store.add_page_images(job.document.id, {1: preview})
    store.settle([done(job, 1, images=(crop,))])
    store.finish_job(job.id, {"md": store.blobs.put(b"md")})
    kept = finished(store, ["kept words"], data=b"%PDF kept")
    print(kept.id)
    return job.id


def migration_half_done(data: Path) -> None:
    upgrade = migration._upgrade

    def halfway(engine):
        Sqlite.create_search = die  # type: ignore[assignment,method-assign]
        upgrade(engine)

    migration._upgrade = halfway
    open_store(data)


def open_many() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            store = open_store(Path(line.strip()))
            queued(store, data=os.urandom(8))
            store.close()
            print("ok", flush=True)
        except Exception as error:  # noqa: BLE001 - the parent shows it
            print(f"{type(error).__name__}: {error}", flush=True)


STEPS: dict[str, Callable[[Store], None]] = {
    step.__name__: step
    for step in (
        upload_half_written,
        blob_without_row,
        document_without_job,
        previews_without_row,
        settle_in_transaction,
        settled_not_finished,
        artifacts_not_named,
        delete_hidden,
        delete_without_results,
        delete_without_rows,
    )
}


if __name__ == "__main__":
    if sys.argv[1] == "open":
        open_many()
    elif sys.argv[1] == "migration_half_done":
        migration_half_done(Path(sys.argv[2]))
    else:
        STEPS[sys.argv[1]](open_store(Path(sys.argv[2])))
        die()
