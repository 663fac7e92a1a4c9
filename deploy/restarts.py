"""When a process that ended is started again."""

from collections.abc import Callable

FIRST_SECONDS = 0.2  # a single crash is mended before anyone notices
MAX_SECONDS = 30.0  # a process that cannot start is tried twice a minute
RAN_WELL_SECONDS = 20.0  # longer than loading a model; a process that lived so long had started
JITTER = 0.25  # share of the wait: processes that fell together do not rise together


class Restarts:
    """The waits of one process: doubling, with jitter, from the start again after it ran well.

    `random` gives numbers in 0..1. `failures` counts the endings in a row without a good run.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.failures = 0

    def delay_seconds(self, *, ran_seconds: float, planned: bool) -> float:
        """The wait after a run; 0 when the process ended by plan (it recycles itself)."""
        if ran_seconds >= RAN_WELL_SECONDS:
            self.failures = 0
            if planned:
                return 0.0
        # one that ends by plan at once, again and again, is as broken as one that crashes
        self.failures += 1
        wait = min(MAX_SECONDS, FIRST_SECONDS * 2.0 ** min(self.failures - 1, 16))
        return wait * (1 - JITTER + 2 * JITTER * self._random())
