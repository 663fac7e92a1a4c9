"""Every item that the broker knows, by key and by job, and where it waits."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from bus.queues import MIN_ITEM_BYTES, Item, LaneQueue
from shared.messages import split_key


class Ledger:
    """Owns the items, their queues and the count of the bytes they hold."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._of_job: dict[str, dict[str, Item]] = {}
        self.queues: dict[str, LaneQueue] = {}
        self.parked: OrderedDict[str, Item] = OrderedDict()
        self.bytes: dict[str, int] = {}
        self.total_bytes = 0

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
        self._hold(item, item.size if item.payload else 0)

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
        """The item's bytes, from here on held until it is forgotten."""
        item.payload, item.payload_hash, item.has_payload = payload, digest, True
        item.size = max(MIN_ITEM_BYTES, sum(len(frame) for frame in payload))
        self._hold(item, item.size)

    def drop_payload(self, item: Item) -> None:
        """Let go of the bytes."""
        if item.payload:
            item.payload = ()
            self._hold(item, -item.size)

    def push(self, item: Item, *, front: bool = False) -> None:
        """Into the queue of its service."""
        self.queue(item.service).push(item, front=front)

    def take_out(self, item: Item) -> None:
        """Out of the place where it waits, if it waits."""
        if item.state == "queued":
            self.queues[item.service].remove(item)
        elif item.state == "suspect":
            assert item.group is not None
            del item.group[item.key]
        elif item.state == "parked":
            del self.parked[item.key]
        item.state = "held"

    def move(self, job: str, lane: str) -> None:
        """All items of a job to another lane."""
        for queue in self.queues.values():
            queue.move(job, lane)
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

    def _hold(self, item: Item, size: int) -> None:
        if size:
            self.bytes[item.service] = self.bytes.get(item.service, 0) + size
            self.total_bytes += size
