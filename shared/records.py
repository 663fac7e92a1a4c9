"""Records that the store keeps and that web and stages meet in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.blocks import Block
from shared.states import JobState, Lane, Origin, PageState


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes a person gave us. `id` is their sha256, `pages` None until they were opened.

    `name` is what the person called it: shown, never used as a path. `media_type` is by content.
    """

    id: str
    name: str
    media_type: str
    bytes: int
    pages: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Page tasks of a job by state; `total` is 0 until the document was opened."""

    total: int = 0
    pending: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def settled(self) -> int:
        """Pages that will not change any more."""
        return self.done + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job or page failed: a stable word and a sentence."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one workflow over one document. Times are Unix seconds.

    `engine` is what was asked for: a name, "auto", or several names joined by commas. `revision`
    grows with every committed change and is the id of server-sent events. `artifacts` maps a
    format (md, json, html, txt) to the sha256 of the blob, once the job is done.
    """

    id: str
    document: Document
    state: JobState
    engine: str
    options: Mapping[str, Any]
    pages: str
    lane: Lane
    origin: Origin
    parent: str | None
    reuse: bool
    counts: Counts
    failure: Failure | None
    revision: int
    created: float
    started: float | None = None
    finished: float | None = None
    artifacts: Mapping[str, str] = field(default_factory=dict)

    @property
    def engines(self) -> tuple[str, ...]:
        """The names asked for."""
        return tuple(self.engine.split(","))

    def to_json(self) -> dict[str, Any]:
        """The job as the API shows it."""
        counts = self.counts
        return {
            "id": self.id,
            "state": self.state.value,
            "engine": self.engine,
            "options": dict(self.options),
            "pages": self.pages,
            "priority": self.lane.value,
            "from": self.origin.value,
            "parent": self.parent,
            "reuse": self.reuse,
            "document": {
                "id": self.document.id,
                "name": self.document.name,
                "media_type": self.document.media_type,
                "bytes": self.document.bytes,
                "pages": self.document.pages,
            },
            "counts": {
                "total": counts.total,
                "pending": counts.pending,
                "done": counts.done,
                "failed": counts.failed,
                "cancelled": counts.cancelled,
            },
            "failed_pages": counts.failed,
            "failure": (
                {"type": self.failure.type, "message": self.failure.message}
                if self.failure
                else None
            ),
            "revision": self.revision,
            "created": self.created,
            "started": self.started,
            "finished": self.finished,
            "seconds": (
                round(self.finished - self.started, 3)
                if self.finished is not None and self.started is not None
                else None
            ),
            "formats": sorted(self.artifacts),
        }


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a submit or replay asks for; the document must already be stored."""

    document_id: str
    document_name: str
    engine: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    pages: str = ""
    lane: Lane = Lane.INTERACTIVE
    origin: Origin = Origin.RECOGNIZE
    parent: str | None = None
    reuse: bool = False


@dataclass(frozen=True, slots=True)
class PageTask:
    """One page of one job for one engine: the row that says how far it is.

    `attempts` counts the leases that ran, `reason` says in a sentence why it failed or was
    retried, `reused_from` names the job whose identical work was taken, `milliseconds` is the
    engine's time. `quarantined` when it crashed its engine too often.
    """

    job: str
    page: int
    engine: str
    state: PageState
    attempts: int = 0
    crashes: int = 0
    reason: str = ""
    reason_type: str = ""
    quarantined: bool = False
    milliseconds: float | None = None
    reused_from: str | None = None
    worker: str = ""
    source: str = ""
    finished: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The page as the API lists it."""
        return {
            "page": self.page,
            "engine": self.engine,
            "state": self.state.value,
            "attempts": self.attempts,
            "crashes": self.crashes,
            "reason": self.reason or None,
            "reason_type": self.reason_type or None,
            "quarantined": self.quarantined,
            "milliseconds": self.milliseconds,
            "reused_from": self.reused_from,
            "worker": self.worker or None,
            "source": self.source or None,
            "finished": self.finished,
        }


@dataclass(frozen=True, slots=True)
class PageResult:
    """The committed answer for one page task, as `collect` writes it.

    `raw` is the engine's output byte for byte. `images` names the crops in the blob store.
    """

    job: str
    page: int
    engine: str
    blocks: tuple[Block, ...]
    markdown: str
    text: str
    raw: bytes
    raw_media_type: str
    width: float
    height: float
    source: str = ""
    turned_degrees: int = 0
    skew_degrees: float = 0.0
    images: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    reused_from: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """How one page task ended: its final state, and its result when it is done."""

    job: str
    page: int
    engine: str
    state: PageState
    attempts: int = 1
    crashes: int = 0
    reason: str = ""
    reason_type: str = ""
    quarantined: bool = False
    milliseconds: float | None = None
    worker: str = ""
    result: PageResult | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One page that a search found. `snippet` is plain text, hits between U+2068 and U+2069."""

    job: str
    document_name: str
    page: int
    engine: str
    snippet: str
    created: float
