"""Records that the store keeps and that web and stages meet in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.blocks import Block
from shared.routing import FALLBACKS, FIRST, Attempt, Route
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


# Failures that the document's bytes make, whoever reads them: a password, no document, no pages.
_OF_THE_BYTES = frozenset({"encrypted", "not_a_document", "no_pages"})


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one workflow over one document. Times are Unix seconds.

    `engine` is what was asked for: a name, "auto", or several names joined by commas. `revision`
    grows with every committed change and is the id of server-sent events. `artifacts` maps a
    format (md, json, html, txt) to the sha256 of the blob, once the job is done; of a job that was
    cancelled or failed, once somebody has asked for what was read before.
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

    @property
    def has_result(self) -> bool:
        """Whether there are files, or may be when they are asked for: pages that are done stay."""
        return bool(self.artifacts) or (self.state.is_final and self.counts.done > 0)

    @property
    def can_run_again(self) -> bool:
        """Whether another run may end otherwise: not where the document's bytes were at fault."""
        return self.failure is None or self.failure.type not in _OF_THE_BYTES

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
            "has_result": self.has_result,
            "can_run_again": self.can_run_again,
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
    """One page of one job for one engine asked for: the row that says how far it is.

    `asked` is what the job named, "auto" included, and the key of the row; `engine` is the engine
    that read the page or is going to, and `choice` says in a sentence why that one. `attempts`
    counts the leases that ran, `history` lists those that gave no accepted answer. `reason` says
    in a sentence why it failed or was retried, `reused_from` names the job whose identical work
    was taken, `milliseconds` is the engine's time. `quarantined` when it crashed its engine too
    often. `rung` is the step of the ladder that it is on, `turn` counts refused answers, `route`
    is where it goes next when that is settled already.
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
    asked: str = ""
    choice: str = ""
    rung: str = FIRST
    turn: int = 0
    route: Route | None = None
    history: tuple[Attempt, ...] = ()

    def __post_init__(self) -> None:
        """Where nothing else was asked for, the engine was."""
        if not self.asked:
            object.__setattr__(self, "asked", self.engine)

    @property
    def mark(self) -> str:
        """One word for people: queued, done, retried, fallback, failed, quarantined, cancelled.

        An open page is queued, or retried when an attempt came to nothing.
        """
        if self.state is PageState.CANCELLED:
            return "cancelled"
        if self.state is PageState.FAILED:
            return "quarantined" if self.quarantined else "failed"
        if self.rung in FALLBACKS:
            return "fallback"
        if self.history or self.attempts > 1:
            return "retried"
        return "done" if self.state is PageState.DONE else "queued"

    def to_json(self) -> dict[str, Any]:
        """The page as the API lists it."""
        return {
            "page": self.page,
            "engine": self.engine,
            "asked": self.asked,
            "choice": self.choice or None,
            "state": self.state.value,
            "mark": self.mark,
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
            "history": [attempt.to_json() for attempt in self.history],
        }


@dataclass(frozen=True, slots=True)
class PageResult:
    """The committed answer for one page task, as `collect` writes it.

    `engine` has read the page, `asked` is what the job named ("" in the constructor: the same).
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
    asked: str = ""

    def __post_init__(self) -> None:
        """Where nothing else was asked for, the engine was."""
        if not self.asked:
            object.__setattr__(self, "asked", self.engine)


@dataclass(frozen=True, slots=True)
class Settled:
    """How one page task ended: its final state, and its result when it is done.

    `asked` is the key of the page task, `engine` what read it ("": the engine asked for).
    `history` are attempts to add to those that are kept. A failure of another `turn` than the
    page's is old news and ignored; None fits always. So is the `last_resort` of another turn: a
    refused answer that was taken because nothing was left to try.
    """

    job: str
    page: int
    asked: str
    state: PageState
    attempts: int = 1
    crashes: int = 0
    reason: str = ""
    reason_type: str = ""
    quarantined: bool = False
    milliseconds: float | None = None
    worker: str = ""
    result: PageResult | None = None
    engine: str = ""
    choice: str = ""
    rung: str = FIRST
    turn: int | None = None
    history: tuple[Attempt, ...] = ()
    last_resort: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the page has an answer that was accepted: it counts whenever it comes."""
        return self.state is PageState.DONE and not self.last_resort


@dataclass(frozen=True, slots=True)
class Retry:
    """A page task whose answer was refused goes on to `route`, when its turn is still `turn`."""

    job: str
    page: int
    asked: str
    turn: int
    route: Route
    attempts: int = 1
    crashes: int = 0
    reason: str = ""
    reason_type: str = ""
    history: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One page that a search found. `snippet` is plain text, hits between U+2068 and U+2069."""

    job: str
    document_name: str
    page: int
    engine: str
    snippet: str
    created: float
