"""What the broker's parts share: peers, items, jobs, counters, and the commands so far."""

from collections import Counter
from typing import Any

from bus.absent import Absent
from bus.commands import Broadcast, Command, Send
from bus.jobs import JobBook, PageKey, Trials
from bus.ledger import Ledger
from bus.peers import Peer
from bus.places import Places
from bus.queues import Item
from bus.suspects import Suspects
from bus.window import Window
from shared.messages import Message, Publish, Revoke, parse_page_key
from shared.settings import MIB, Settings


class BusState:
    """The state of one broker epoch."""

    def __init__(self, settings: Settings, epoch: str) -> None:
        self.settings = settings
        self.epoch = epoch
        self.unix_offset = 0.0  # from readings of the clock, which never goes back, to Unix time
        self.peers: dict[bytes, Peer] = {}
        self.items = Ledger(Window(settings.queue_mib * MIB))
        self.book = JobBook(self.items.pages_of)
        self.suspects = Suspects()
        self.places = Places()
        self.absent = Absent()
        self.counters: Counter[str] = Counter()
        self.collector: bytes | None = None
        self.expected: set[str] = set()  # engines that are ready, or were a moment ago
        self._out: list[Command] = []
        self._sequence = 0

    def send(
        self, peer: bytes, message: Message, payload: tuple[Any, ...] = (), digest: int = 0
    ) -> None:
        """Say this to one peer."""
        self._out.append(Send(peer, message, payload, digest))

    def publish(self, message: Publish) -> None:
        """Say this to everyone who watches."""
        self._out.append(Broadcast(message))

    def unix_seconds(self, now: float) -> float:
        """The time of day at this reading of the clock, to be told to people."""
        return now + self.unix_offset

    def take_commands(self) -> list[Command]:
        """All that was said since the last call."""
        out, self._out = self._out, []
        return out

    def sequence(self) -> int:
        """A growing number, so that heaps never compare items."""
        self._sequence += 1
        return self._sequence

    def find_collector(self) -> None:
        """Choose the collector anew: the newest, since a restarted one takes over."""
        found = [peer for peer in self.peers.values() if peer.hello.role == "collect"]
        self.collector = found[-1].id if found else None

    def taker(self) -> bytes | None:
        """The collector, while it takes answers: one that waits for disk space would only pile
        them up, and their workers keep and repeat them.
        """
        peer = self.peers.get(self.collector) if self.collector is not None else None
        return None if peer is None or peer.status.get("state") == "blocked" else peer.id

    def requeue(self, item: Item, *, front: bool = True) -> None:
        """Back to the head of its job; without its bytes split reads it again, out of turn."""
        self.items.take_out(item)
        item.peer = None
        if item.has_payload:
            self.items.push(item, front=front)
            self.counters["requeued"] += 1
            return
        self._keep_trials(item, item.refusals)
        self.items.remove(item)
        _, page, asked = parse_page_key(item.key)
        self.book.reread(item.job, (page, asked))

    def reread(self, item: Item, page: PageKey, left: tuple[str, ...] = ()) -> None:
        """The page goes on to another attempt, perhaps elsewhere: split reads it again at once."""
        self._keep_trials(item, refusals=0)
        self.items.remove(item)
        self.book.reread(item.job, page, left)

    def _keep_trials(self, item: Item, refusals: int) -> None:
        job = self.book.get(item.job)
        if job is not None:
            job.trials[item.key] = Trials(
                item.attempts, refusals, item.crashes, alone=item.alone, tries=tuple(item.tries)
            )

    def forget(self, item: Item, now: float) -> None:
        """The item is settled."""
        self.items.remove(item)
        if not item.is_split:
            self.book.left(item.job, now)

    def drop_job(self, job: str) -> None:
        """Forget a job and all of its items; what is out is called back."""
        revoked: dict[bytes, list[str]] = {}
        for item in self.items.of_job(job):
            if item.peer is not None and item.state == "leased":
                revoked.setdefault(item.peer, []).append(item.key)
            self.items.remove(item)
        for peer_id, keys in revoked.items():
            self.send(peer_id, Revoke(tuple(keys)))
        self.book.close(job)
