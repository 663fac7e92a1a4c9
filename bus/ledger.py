"""Every item that the broker knows, by key and by job, and where it waits."""

from collections.abc import Iterator
from typing import Any

from bus.queues import MIN_ITEM_BYTES, Item, LaneQueue
from bus.window import Window
from shared.messages import split_key


class Ledger:
    """Owns the items and their queues, and counts in `window` what they hold.

    `parked` are split tasks that wait for room, by the service that has none ("" while nobody knows
    where their pages go) and whether their job has no page here.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self._items: dict[str, Item] = {}
        self._of_job: dict[str, dict[str, Item]] = {}
        self.queues: dict[str, LaneQueue] = {}
        self.parked: dict[tuple[str, bool], LaneQueue] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def get(self, key: str) -> Item | None:
        """The item of this key, if it is known."""
        return self._items.get(key)

    def add(self, item: Item) -> None:
        """Know this item; it waits nowhere yet."""
        self._items[item.key] = item
        self._of_job.setdefault(item.job, {})[item.key] = item
        self._count(item, item.size if item.payload else 0)

    def remove(self, item: Item) -> None:
        """Forget this item, wherever it waits."""
        self.take_out(item)
        self.drop_payload(item)
        item.state = "gone"
        del self._items[item.key]
        of_job = self._of_job[item.job]
        del of_job[item.key]
        if not of_job:
            del self._of_job[item.job]

    def set_payload(self, item: Item, payload: tuple[Any, ...], digest: int) -> None:
        """The item's bytes, from here on held until it is answered or forgotten."""
        item.payload, item.payload_hash, item.has_payload = payload, digest, True
        item.size = max(MIN_ITEM_BYTES, sum(len(frame) for frame in payload))
        self.window.note_size(item.service, item.size)
        self._count(item, item.size)

    def drop_payload(self, item: Item) -> None:
        """Let go of the bytes: were they needed once more, split reads the page again."""
        if item.payload:
            self._count(item, -item.size)
            item.payload, item.has_payload = (), False

    def promise(self, item: Item, size: int) -> None:
        """Pages of so many bytes are expected of this split task; less as they come."""
        self.window.promised += size - item.promised
        item.promised = size

    def send_out(self, item: Item, peer: bytes, lease: int, now: float) -> None:
        """A worker has it: what it holds counts for the credit of that worker."""
        self._count(item, -item.size if item.payload else 0)
        item.is_out = True
        item.state, item.peer, item.lease, item.sent_at = "leased", peer, lease, now

    def push(self, item: Item, *, front: bool = False) -> None:
        """Into the queue of its service."""
        self.queue(item.service).push(item, front=front)

    def adopt(self, item: Item, peer: bytes, lease: int, now: float, stage: str) -> None:
        """A worker says that it has it, or (stage `answered`) an answer to it."""
        self.send_out(item, peer, lease, now)
        if stage == "answered":
            self.answered(item, peer)

    def answered(self, item: Item, peer: bytes) -> None:
        """Its worker keeps the answer; of a page that it loses with it the bytes are read again."""
        self.take_out(item)
        self.drop_payload(item)
        item.state, item.peer = "answered", peer

    def take_out(self, item: Item) -> None:
        """Out of the place where it waits, or from the worker that has it."""
        if item.state == "queued":
            self.queues[item.service].remove(item)
        elif item.state == "suspect":
            assert item.group is not None
            del item.group[item.key]
        elif item.state == "parked":
            self.parked[item.parked_for].remove(item)
        item.state = "held"
        if item.is_out:
            item.is_out = False
            self._count(item, item.size if item.payload else 0)
        if item.promised:
            self.promise(item, 0)

    def park(self, item: Item, service: str, *, starving: bool) -> None:
        """A split task that waits until the service has room."""
        item.parked_for = service, starving
        queue = self.parked.get(item.parked_for)
        if queue is None:
            queue = self.parked[item.parked_for] = LaneQueue()
        queue.push(item)
        item.state = "parked"

    def move(self, job: str, lane: str) -> None:
        """All items of a job to another lane."""
        for queue in self.queues.values():
            queue.move(job, lane)
        for queue in self.parked.values():
            queue.move(job, lane, state="parked")
        for item in self.of_job(job):
            item.lane = lane

    def of_job(self, job: str) -> list[Item]:
        """All that is known of a job."""
        return list(self._of_job.get(job, {}).values())

    def pages_of(self, job: str) -> int:
        """How many pages of a job are here. O(1)."""
        of_job = self._of_job.get(job)
        return len(of_job) - (split_key(job) in of_job) if of_job else 0

    def queue(self, service: str) -> LaneQueue:
        """The queue of a service."""
        queue = self.queues.get(service)
        if queue is None:
            queue = self.queues[service] = LaneQueue()
        return queue

    def table(self) -> dict[str, dict[str, int]]:
        """Waiting in the broker, by service."""
        return {
            name: {"pages": queue.pages, "bytes": queue.bytes, "jobs": queue.jobs()}
            for name, queue in self.queues.items()
        }

    def _count(self, item: Item, size: int) -> None:
        if size and not item.is_out:
            self.window.count(item.service, size)
