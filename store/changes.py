"""What a commit of the store tells its caller."""

from dataclasses import dataclass, field

from shared.records import Job, PageTask


@dataclass(frozen=True, slots=True)
class JobChange:
    """One job after `settle`: the page tasks that this commit settled, each for the first time.

    `retried` are those whose answer was refused and that go on. `complete` when every page row is
    settled and the job is still running: time to merge.
    """

    job: Job
    settled: list[PageTask]
    complete: bool
    retried: list[PageTask] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one run of the janitor mended, as counts; `failed_jobs` names the jobs it failed."""

    temp_files: int = 0
    orphan_blobs: int = 0
    freed_bytes: int = 0
    purged_jobs: int = 0
    unused_documents: int = 0
    lost_previews: int = 0
    lost_crops: int = 0
    failed_jobs: tuple[str, ...] = ()
