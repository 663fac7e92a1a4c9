"""Every message on the bus: one frozen dataclass per kind.

On the wire a message is one frame with version, kind and payload hash, one frame with the fields
as a msgpack array in the order below, then payload frames (see `bus.codec`). Fields are only ever
added at the end, with a default.

A key names a unit of work: `job:page:asked` for a page (`asked` is the engine that was asked for,
or auto), `split:job` for a split task.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

VERSION = 1


@dataclass(frozen=True, slots=True)
class Hello:
    """Peer to broker: who I am, how much I take, what I hold. First, and whenever asked.

    `held` lists (key, lease, stage) with stage waiting, running or answered. `slot` is the name
    under which the process is started again when it ends.
    """

    KIND: ClassVar[int] = 1
    worker: str
    role: str
    service: str
    host: str
    pid: int
    credit: int
    held: tuple[tuple[str, int, str], ...] = ()
    engine: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """Broker to peer: you are known to this epoch of the broker."""

    KIND: ClassVar[int] = 2
    epoch: str


@dataclass(frozen=True, slots=True)
class Who:
    """Broker to peer: I do not know you, say Hello."""

    KIND: ClassVar[int] = 3
    epoch: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Peer to broker, each second: I live, I hold this, my work has moved so far.

    `progress` only grows; it is set by the working thread. `status` has state, message, rss_bytes,
    what else the table of workers shows, and `credit` where that has changed since Hello.
    """

    KIND: ClassVar[int] = 4
    held: tuple[str, ...]
    running: tuple[str, ...]
    progress: int
    status: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pulse:
    """Broker to peer, each second: I live, and this is my epoch."""

    KIND: ClassVar[int] = 5
    epoch: str


@dataclass(frozen=True, slots=True)
class Submit:
    """Web or collect to broker: these jobs have work. Said again for safety; known jobs are kept.

    `jobs` lists (job, lane).
    """

    KIND: ClassVar[int] = 6
    jobs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Task:
    """Broker to worker: do this. Payload: the page's bytes (recognize), none (split)."""

    KIND: ClassVar[int] = 7
    key: str
    lease: int
    job: str
    header: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """Worker to broker: this one is running now. From here on a crash is charged to it."""

    KIND: ClassVar[int] = 8
    key: str
    lease: int


@dataclass(frozen=True, slots=True)
class Result:
    """Worker to broker to collect: how a page ended. Sent again until Committed.

    `outcome` is done, refused (of the page), outside (not of the page) or failed (final: no more
    attempts). Payload of `done`: `shared.page_codec`. `header` has reason, reason_type,
    milliseconds, attempts, crashes, worker, options, route (`shared.routing.Route`), finding (what
    the quality gate says), tries (earlier ones that the broker knows of). The broker itself says
    failed of a page, or of a split task, that it gives up.
    """

    KIND: ClassVar[int] = 9
    key: str
    lease: int
    outcome: str
    header: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Committed:
    """Collect to broker to worker: these are safe, forget them. The broker says it too for
    answers that need no commit (it will try the page again).

    `again` are those among `keys` whose answer was refused: split reads the page once more, for
    another attempt.
    """

    KIND: ClassVar[int] = 10
    keys: tuple[str, ...]
    again: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageReady:
    """Split to broker: a page task for the queue of `service`. Payload: the page's bytes."""

    KIND: ClassVar[int] = 11
    key: str
    job: str
    service: str
    header: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SplitDone:
    """Split to broker: this chunk is out. `cursor` is (page, engine) of the last one, `finished`
    when no pages are left behind it.
    """

    KIND: ClassVar[int] = 12
    key: str
    lease: int
    job: str
    cursor: tuple[int, str]
    finished: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """Worker to broker: I have not begun these and will not; give them to someone else."""

    KIND: ClassVar[int] = 13
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """Collect or web to broker: these jobs are final, forget them."""

    KIND: ClassVar[int] = 14
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Web to broker: drop what waits of this job, call back what is out."""

    KIND: ClassVar[int] = 15
    job: str


@dataclass(frozen=True, slots=True)
class Revoke:
    """Broker to worker: these are not wanted any more; drop them where not begun."""

    KIND: ClassVar[int] = 16
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Priority:
    """Web to broker: move a job to another lane."""

    KIND: ClassVar[int] = 17
    job: str
    lane: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Collect, split or broker to everyone who watches: a JobEvent."""

    KIND: ClassVar[int] = 18
    job: str
    event: str
    revision: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resend:
    """Broker to worker: collect is back; send again what is not committed."""

    KIND: ClassVar[int] = 19


@dataclass(frozen=True, slots=True)
class Exited:
    """Supervisor to broker: a process ended. Exactly one of the two numbers is not -1."""

    KIND: ClassVar[int] = 20
    host: str
    pid: int
    exit_code: int = -1
    signal: int = -1


@dataclass(frozen=True, slots=True)
class Kill:
    """Broker to supervisor, and to the worker itself: this process hangs, end it."""

    KIND: ClassVar[int] = 21
    host: str
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Bye:
    """Peer to broker: I leave and hold nothing."""

    KIND: ClassVar[int] = 22


@dataclass(frozen=True, slots=True)
class Table:
    """Broker to everyone who watches, each second: processes, queues, counters."""

    KIND: ClassVar[int] = 23
    epoch: str
    time: float
    uptime_seconds: float
    workers: tuple[Mapping[str, Any], ...]
    queues: Mapping[str, Any]
    counters: Mapping[str, Any]


Message = (
    Hello
    | Welcome
    | Who
    | Heartbeat
    | Pulse
    | Submit
    | Task
    | Started
    | Result
    | Committed
    | PageReady
    | SplitDone
    | Returned
    | Closed
    | Cancel
    | Revoke
    | Priority
    | Publish
    | Resend
    | Exited
    | Kill
    | Bye
    | Table
)


def page_key(job: str, page: int, engine: str) -> str:
    """The key of a page task."""
    return f"{job}:{page}:{engine}"


def parse_page_key(key: str) -> tuple[str, int, str]:
    """(job, page, engine) of a key. ValueError when it is not one."""
    job, page, engine = key.split(":")
    return job, int(page), engine


def split_key(job: str) -> str:
    """The key of a job's split task."""
    return f"split:{job}"


def split_job(key: str) -> str:
    """The job of a split task's key; empty when it is the key of a page."""
    head, _, job = key.partition(":")
    return job if head == "split" else ""
