"""The queue of one service: lanes, fair between jobs, page order inside a job. All steps O(1)."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from shared.states import Lane

LANES = (Lane.INTERACTIVE.value, Lane.BATCH.value, Lane.BACKFILL.value)
FLOOR_EVERY = 10  # each tenth page comes from a lower lane, so that none starves
MIN_ITEM_BYTES = 4096  # what an item costs the broker beside its payload, rounded up


@dataclass(slots=True, eq=False)
class Item:
    """One unit of work that the broker knows: a page task or a split task.

    `state` is queued, waiting (for its back-off), leased, answered (result passed on, not yet
    committed), verdict (the broker's own final answer, not yet committed).
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
    attempts: int = 0
    refusals: int = 0
    crashes: int = 0
    outages: int = 0
    reason: str = ""
    reason_type: str = ""
    size: int = field(default=MIN_ITEM_BYTES)
    has_payload: bool = True

    @property
    def is_split(self) -> bool:
        """Whether this is a job's split task and not a page."""
        return self.service == "split"


class LaneQueue:
    """Strict lanes with a floor; inside a lane round robin between jobs, one page a turn.

    Pages of one service cost about the same, so a round robin by pages is the deficit round
    robin with quantum one.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, OrderedDict[str, deque[Item]]] = {
            lane: OrderedDict() for lane in LANES
        }
        self._turn = 0
        self.pages = 0
        self.bytes = 0

    def push(self, item: Item, *, front: bool = False) -> None:
        """Put an item behind (or, a returned one, before) the others of its job."""
        jobs = self._lanes[item.lane]
        queue = jobs.setdefault(item.job, deque())
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
        lanes = [lane for lane in LANES if self._lanes[lane]]
        lane = lanes[-1] if self._turn % FLOOR_EVERY == 0 else lanes[0]
        if self._turn % (FLOOR_EVERY * 2) == 0 and len(lanes) == len(LANES):
            lane = lanes[1]  # the two lower lanes share the floor
        jobs = self._lanes[lane]
        job, queue = next(iter(jobs.items()))
        item = queue.popleft()
        if queue:
            jobs.move_to_end(job)
        else:
            del jobs[job]
        self.pages -= 1
        self.bytes -= item.size
        return item

    def remove_job(self, job: str) -> list[Item]:
        """Take out all that waits of one job."""
        removed: list[Item] = []
        for jobs in self._lanes.values():
            removed.extend(jobs.pop(job, ()))
        self.pages -= len(removed)
        self.bytes -= sum(item.size for item in removed)
        return removed

    def jobs(self) -> int:
        """How many jobs have something waiting here."""
        return sum(len(jobs) for jobs in self._lanes.values())


class Room:
    """The peers of one service by how much they have out; the least loaded with room comes first.

    Buckets by load make taking one O(credit), and credit is small.
    """

    def __init__(self) -> None:
        self._buckets: list[OrderedDict[bytes, None]] = [OrderedDict()]
        self._load: dict[bytes, int] = {}

    def put(self, peer: bytes, load: int) -> None:
        """This peer has `load` out and room for more."""
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

    def best(self, *, idle_only: bool = False) -> bytes | None:
        """The peer with the least out, or None; with `idle_only` one that has nothing out."""
        for bucket in self._buckets[: 1 if idle_only else None]:
            for peer in bucket:
                return peer
        return None
