"""What is published each second: every process, the broker first, the queues and the counters."""

import os
import time
from dataclasses import asdict
from socket import gethostname

import psutil

from bus.core import Core
from shared.health import WorkerStatus
from shared.messages import Table


def make_table(core: Core, started: float, now: float) -> Table:
    """The table of this broker process, which serves `core` since then; both of the clock."""
    uptime = round(now - started, 1)
    rows = (_own_row(uptime), *core.workers(now))
    return Table(
        epoch=core.epoch,
        time=time.time(),
        uptime_seconds=uptime,
        workers=tuple({**asdict(row), "running": list(row.running)} for row in rows),
        queues=core.queue_table(),
        counters={**core.counters, **core.gauges(now)},
    )


def _own_row(uptime_seconds: float) -> WorkerStatus:
    return WorkerStatus(
        worker=f"broker-{os.getpid()}",
        role="broker",
        service="broker",
        pid=os.getpid(),
        host=gethostname(),
        state="ready",
        rss_bytes=psutil.Process().memory_info().rss,
        uptime_seconds=uptime_seconds,
    )
