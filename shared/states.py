"""The states that jobs and pages pass through, and the lanes of the queues."""

from enum import StrEnum


class JobState(StrEnum):
    """`queued` and `running` are open; the others are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job will not change any more."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class PageState(StrEnum):
    """`pending` and `running` are open; the others are final ("settled")."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the page is settled."""
        return self in {PageState.DONE, PageState.FAILED, PageState.CANCELLED}


class Lane(StrEnum):
    """Strict priority between lanes, with a floor for the lower ones."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    BACKFILL = "backfill"


class Origin(StrEnum):
    """Where a job's pages begin."""

    RECOGNIZE = "recognize"  # pages go to an engine
    POSTPROCESS = "postprocess"  # the parent's raw output is read again, no engine runs
