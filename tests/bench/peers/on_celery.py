"""Celery on Redis, acks_late: `python on_celery.py`."""

import sys
import time
from pathlib import Path

from celery import Celery
from common import REDIS_PORT, measure, workers

URL = f"redis://127.0.0.1:{REDIS_PORT}/3"
app = Celery("peer", broker=URL, backend=URL)
app.conf.update(
    task_serializer="msgpack",
    result_serializer="msgpack",
    accept_content=["msgpack"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=True,
)


@app.task(name="work")
def work(payload: bytes, nap: float) -> int:
    """A page that costs nothing, or a nap."""
    time.sleep(nap)
    return len(payload)


if __name__ == "__main__":
    program = str(Path(sys.executable).parent / "celery")
    quick = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    with workers(program, "-A", "on_celery", "worker", "-c", "2", "-l", "ERROR", *quick):
        measure("Celery, acks_late", work.delay, lambda result: result.get(timeout=300))
