"""The queue of one service: lanes, fair between jobs, page order inside a job; and its peers."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from shared.states import Lane

LANES = (Lane.INTERACTIVE.value, Lane.BATCH.value, Lane.BACKFILL.value)
FLOOR_EVERY = 10  # each tenth page comes from a lower lane, so that none starves
MIN_ITEM_BYTES = 4096  # what an item costs the broker beside its payload, rounded up

JobQueues = OrderedDict[str, deque["Item"]]


@dataclass(slots=True, eq=False)
class Item:
    """One unit of work that the broker knows: a page task or a split task.

    `state` is queued, suspect (waits in `group` to run apart), parked (a split task that waits for
    memory), waiting (for its back-off until `ready_at`), leased, answered (result passed on, not
    yet committed), verdict (the broker's own final answer, not yet committed). `charged_to` is the
    (host, pid) of the process whose end was charged last; `alone` is set for a page that must not
    run beside others again; `silences` counts processes that went silent over it. `sent_back_at` is
    when its engine first sent it back unread (0: it has not). `tries` are told with its answer (see
    `bus.tries`). A page that `is_out` is at a worker; `promised` are the bytes of the pages that a
    split task may still make (see `bus.window`).
    """

    key: str
    job: str
    service: str
    lane: str
    header: dict[str, Any]
    payload: tuple[Any, ...] = ()
    payload_hash: int = 0
    state: str = "queued"
    lease: int = 0
    peer: bytes | None = None
    sent_at: float = 0.0
    ready_at: float = 0.0
    attempts: int = 0
    refusals: int = 0
    crashes: int = 0
    outages: int = 0
    silences: int = 0
    sent_back_at: float = 0.0
    charged_to: tuple[str, int] | None = None
    alone: bool = False
    group: "OrderedDict[str, Item] | None" = None
    reason: str = ""
    reason_type: str = ""
    tries: list[dict[str, Any]] = field(default_factory=list)
    size: int = field(default=MIN_ITEM_BYTES)
    has_payload: bool = True
    is_out: bool = False
    promised: int = 0
    parked_for: tuple[str, bool] = ("", False)

    @property
    def is_split(self) -> bool:
        """Whether this is a job's split task and not a page."""
        return self.service == "split"


class LaneQueue:
    """Strict lanes with a floor; inside a lane round robin between jobs, one page a turn.

    Pages of one service cost about the same, so a round robin by pages is the deficit round
    robin with quantum one. All steps are O(1), but for `remove`: O(waiting pages of its job).
    """

    def __init__(self) -> None:
        self._lanes: dict[str, JobQueues] = {lane: OrderedDict() for lane in LANES}
        high, middle, low = (self._lanes[lane] for lane in LANES)
        self._strict = (high, middle, low)
        self._floors = ((middle, low, high), (low, middle, high))  # the lower two share the floor
        self._turn = 0
        self.pages = 0
        self.bytes = 0

    def push(self, item: Item, *, front: bool = False) -> None:
        """Put an item behind (or, a returned one, before) the others of its job."""
        queue = self._lanes[item.lane].setdefault(item.job, deque())
        if front:
            queue.appendleft(item)
        else:
            queue.append(item)
        item.state = "queued"
        self.pages += 1
        self.bytes += item.size

    def pop(self) -> Item | None:
        """The next item, or None when nothing waits."""
        if not self.pages:
            return None
        self._turn += 1
        order = self._strict
        if self._turn % FLOOR_EVERY == 0:
            order = self._floors[self._turn // FLOOR_EVERY % 2]
        jobs = order[0] or order[1] or order[2]
        job, queue = next(iter(jobs.items()))
        item = queue.popleft()
        if queue:
            jobs.move_to_end(job)
        else:
            del jobs[job]
        self.pages -= 1
        self.bytes -= item.size
        return item

    def remove(self, item: Item) -> None:
        """Take out one item that waits here; the others keep their places."""
        jobs = self._lanes[item.lane]
        queue = jobs[item.job]
        queue.remove(item)
        if not queue:
            del jobs[item.job]
        self.pages -= 1
        self.bytes -= item.size

    def move(self, job: str, lane: str, state: str = "queued") -> None:
        """All that waits of one job, to the end of another lane; it stays in this state."""
        for jobs in self._strict:
            if jobs is self._lanes[lane]:
                continue  # it keeps its place there
            for item in jobs.pop(job, ()):
                self.pages -= 1
                self.bytes -= item.size
                item.lane = lane
                self.push(item)
                item.state = state

    def jobs(self) -> int:
        """How many jobs have something waiting here."""
        return sum(len(jobs) for jobs in self._strict)


class Room:
    """The peers of one service by how much they have out; the least loaded with room comes first.

    Buckets by load make taking one O(credit), and credit is small.
    """

    def __init__(self) -> None:
        self._buckets: list[OrderedDict[bytes, None]] = [OrderedDict()]
        self._load: dict[bytes, int] = {}

    def put(self, peer: bytes, load: int) -> None:
        """This peer has `load` out and room for more."""
        if self._load.get(peer) == load:
            return
        self.drop(peer)
        while len(self._buckets) <= load:
            self._buckets.append(OrderedDict())
        self._buckets[load][peer] = None
        self._load[peer] = load

    def drop(self, peer: bytes) -> None:
        """This peer has no room (any more)."""
        load = self._load.pop(peer, None)
        if load is not None:
            del self._buckets[load][peer]

    def best(self) -> bytes | None:
        """The peer with the least out, or None."""
        if not self._load:
            return None
        for bucket in self._buckets:
            for peer in bucket:
                return peer
        return None
