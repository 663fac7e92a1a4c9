"""What the bus tells everyone who watches: a job changed, a page began."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change of one job.

    `kind` is `job` (committed: `data` has the job's state and counts, and under `pages` the page
    tasks that settled), or `running` (a page began at an engine: soft state, `revision` 0).
    `revision` is the job's revision after the change and the id of the server-sent event.
    """

    job: str
    kind: str
    revision: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
