"""The state of the service as this process knows it."""

import time
from socket import gethostname

import psutil

from shared.errors import QuireError
from shared.health import HEALTHY, SILENT_PART, UNHEALTHY, BusTable, WorkerStatus, as_of
from web.admission import free_bytes
from web.front import Front
from web.health_report import HealthReport
from web.problems import disk_sentence


def table_of(front: Front) -> BusTable | None:
    """The broker's newest table as of now; None when it is too old: the broker is away."""
    age = front.bus.table_age_seconds()
    silent = front.settings.silence_seconds * SILENT_PART
    if front.bus.table is None or age > silent:
        return None
    return as_of(front.bus.table, age, silent)


def report_of(front: Front) -> HealthReport:
    """Health at this moment, but for the store: `store_status` asks that."""
    return HealthReport(
        front.settings,
        front.engines,
        table_of(front),
        broker_anew_seconds=front.bus.anew_seconds(),
        free_bytes=free_bytes(front.settings),
    )


async def store_status(front: Front) -> str:
    """Healthy when the store answers a question."""
    try:
        await front.threads.run(front.store.open_work)
    except QuireError:
        return UNHEALTHY
    return HEALTHY


def own_status(front: Front) -> WorkerStatus:
    """This process: it is on nobody's table, for it only watches the bus."""
    process = psutil.Process()
    free = free_bytes(front.settings)
    return WorkerStatus(
        worker=f"web-{process.pid}",
        role="web",
        service="web",
        pid=process.pid,
        host=gethostname(),
        state="ready",
        message=disk_sentence(front.settings, free),
        rss_bytes=process.memory_info().rss,
        uptime_seconds=round(time.time() - process.create_time(), 1),
    )
