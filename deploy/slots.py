"""What a supervisor says of each process: does it run, or why not, and when it starts again."""

import signal
import time
from dataclasses import dataclass
from typing import Any

from deploy.child import Ending
from deploy.plan import ProcessSpec

LATE_SECONDS = 60.0  # longer than importing and joining takes; models load after joining
OFTEN = 3  # endings in a row that are no accident any more


@dataclass(frozen=True, slots=True)
class Slot:
    """One process of the plan. `ending` is the last one; None while it runs. Times: monotonic."""

    spec: ProcessSpec
    pid: int = 0
    since: float = 0.0
    ending: Ending | None = None
    failures: int = 0
    resume_at: float = 0.0

    def describe(self) -> dict[str, Any]:
        """For the broker's table; `state` is starting (it runs) or restarting (it does not)."""
        return {
            "name": self.spec.name,
            "role": self.spec.role,
            "service": self.spec.service,
            "engine": self.spec.engine,
            "pid": self.pid,
            "state": "starting" if self.ending is None else "restarting",
            "message": self._starting() if self.ending is None else self._restarting(self.ending),
        }

    def _starting(self) -> str:
        if not self.pid:
            return f"{self.spec.name} is about to be started."
        ran = time.monotonic() - self.since
        late = "; its log says what it waits for" if ran > LATE_SECONDS else ""
        return f"{self.spec.name} was started {ran:.0f} s ago and has not joined the bus yet{late}."

    def _restarting(self, ending: Ending) -> str:
        wait = max(0.0, self.resume_at - time.monotonic())
        how = str(ending)
        if ending.signal == signal.SIGKILL:
            how += ", as when the system is out of memory"
        often = f" {self.failures} times in a row" if self.failures >= OFTEN else ""
        return (
            f"{self.spec.name} ended{often} ({how}) and starts again in {wait:.0f} s; "
            "its log says why."
        )
