"""The state of the service as this process knows it."""

from shared.health import BusTable
from web.front import Front
from web.health_report import HealthReport


def table_of(front: Front) -> BusTable | None:
    """The broker's newest table; None when it is too old: the broker is away."""
    if front.bus.table_age_seconds() > front.settings.silence_seconds:
        return None
    return front.bus.table


def report_of(front: Front) -> HealthReport:
    """Health at this moment."""
    return HealthReport(front.settings, front.engines, table_of(front))
