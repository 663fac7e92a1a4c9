"""What may be asked for after a job has ended: dear formats, another merge, a comparison.

The store holds each wish as a row until the collect stage has made it. Nothing of this costs a
job that nobody asks it of.
"""

from dataclasses import dataclass

from shared.records import Failure

FILES = ("md", "json", "html", "txt")  # written when a job ends
EXPORTS = ("docx", "pdf", "hocr")  # written when first asked for, then kept
MERGE = "merge"  # FILES once more, because a page was taken from elsewhere
_COMPARE = "compare:"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One wish. `kind` is one of EXPORTS, MERGE or `compare_with(...)`; `asked` is its version.

    A wish that is asked anew while it is being made has another `asked`: what was made for the
    old one is thrown away.
    """

    job: str
    kind: str
    asked: float
    failure: Failure | None = None

    @property
    def other_job(self) -> str | None:
        """The job to compare with; None for wishes of another kind."""
        return self.kind.removeprefix(_COMPARE) if self.kind.startswith(_COMPARE) else None


@dataclass(frozen=True, slots=True)
class Choice:
    """A page that a person took from an engine of this job or of another one.

    `engine` is the one that was asked for there, "auto" included: the key of its page task.
    """

    page: int
    job: str
    engine: str


def compare_with(job_id: str) -> str:
    """The kind of a wish to compare all pages with those of a job, which may be the same one."""
    return f"{_COMPARE}{job_id}"
