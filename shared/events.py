"""What the bus tells everyone who watches: a job changed, a page began."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change of one job.

    `kind` is `job` (committed: `data` has the job's state and counts, and under `pages` the page
    tasks that settled or whose answer was refused), `running` (a page began at an engine) or
    `returned` (an attempt at a page came to nothing and it is tried again). The latter two are
    soft state: `revision` is 0, `data` has page, asked, engine, and the reason.
    `revision` is the job's revision after the change and the id of the server-sent event.
    """

    job: str
    kind: str
    revision: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
