"""The broker's decisions: events and a clock reading in, commands out. No sockets, no clock.

The life of an item:

    queued -> leased -> answered -> (committed, forgotten)
      ^ ^       |  |
      | |       |  +-- refused too often, crashed too often -> verdict -> (committed, forgotten)
      | +-- waiting (back-off) <- refused, outside failure (from which it may go elsewhere)
      +---- lost, returned, audited
"""

from collections.abc import Callable
from typing import Any

from bus.answers import Answers
from bus.attempts import Attempts
from bus.commands import Broadcast, Command, Send
from bus.dispatch import Dispatcher
from bus.endings import Endings
from bus.feeding import Feeder
from bus.outages import Outages
from bus.peers import Peer, to_status
from bus.roster import Roster
from bus.state import BusState
from shared.errors import ProtocolError
from shared.health import WorkerStatus
from shared.messages import (
    Bye,
    Cancel,
    Closed,
    Committed,
    Exited,
    Heartbeat,
    Hello,
    Message,
    PageReady,
    Priority,
    Publish,
    Result,
    Returned,
    SplitDone,
    Started,
    Submit,
    Who,
    parse_page_key,
)
from shared.settings import Settings
from shared.states import Lane

__all__ = ["Broadcast", "Command", "Core", "Send"]


class Core:
    """One broker epoch."""

    def __init__(self, settings: Settings, epoch: str) -> None:
        self.state = BusState(settings, epoch)
        self.epoch = epoch
        self.feeder = Feeder(self.state)
        self.dispatcher = Dispatcher(self.state, self.feeder)
        self.attempts = Attempts(self.state)
        self.answers = Answers(self.state)
        self.roster = Roster(self.state, self.dispatcher, self.answers)
        self.endings = Endings(self.state, self.dispatcher, self.attempts, self.answers)
        self.outages = Outages(self.state)
        self.peers, self.items, self.book = self.state.peers, self.state.items, self.state.book
        self.counters = self.state.counters
        self._pulse_at = 0.0
        self._of_anyone: dict[type, Callable[[Any, float], None]] = {
            Submit: self._submit,
            Closed: self._closed,
            Cancel: self._cancel,
            Priority: self._priority,
            Publish: self._publish,
            Exited: self.endings.exited,
        }
        self._of_peers: dict[type, Callable[[Peer, Any, float], None]] = {
            Heartbeat: self.roster.heartbeat,
            Started: self.roster.started,
            Returned: self.roster.returned,
            Bye: self.endings.bye,
            SplitDone: self._split_done,
            Committed: self._committed,
        }

    # --- events ----------------------------------------------------------------------------

    def receive(
        self,
        peer_id: bytes,
        message: Message,
        payload: tuple[Any, ...],
        digest: int,
        now: float,
        *,
        more: bool = False,
    ) -> list[Command]:
        """Take one message of one peer. ProtocolError when it is none for the broker.

        `more`: others wait to be taken, and `flush` follows behind the last of them.
        """
        kind = type(message)
        peer = self.peers.get(peer_id)
        if peer is not None:
            peer.seen_at = now
        if isinstance(message, Hello):
            self.endings.spoke(peer_id)
            self.roster.hello(peer_id, message, now)
        elif kind in self._of_anyone:  # a doorbell needs no Hello
            self._of_anyone[kind](message, now)
        elif peer is None:  # it says Hello and, welcomed, all that is not committed again
            self.state.send(peer_id, Who(self.epoch))
        elif isinstance(message, Result):
            self._result(peer, message, payload, digest, now)
        elif isinstance(message, PageReady):
            self.feeder.page_ready(message, payload, digest)
        elif kind in self._of_peers:
            self._of_peers[kind](peer, message, now)
        else:
            raise ProtocolError(f"{kind.__name__} is no message for the broker.", code="bad_kind")
        return self.state.take_commands() if more else self.flush(now)

    def disconnected(self, peer_id: bytes, now: float) -> list[Command]:
        """The socket of a peer is gone."""
        self.endings.disconnected(peer_id, "its connection ended", now)
        return self.flush(now)

    def unreachable(self, peer_id: bytes, now: float) -> list[Command]:
        """A send to the peer failed: it is gone, or reads nothing any more."""
        self.counters["unreachable"] += 1
        return self.disconnected(peer_id, now)

    def tick(self, now: float) -> list[Command]:
        """Time has passed: back-offs, leases, hangs, heartbeats."""
        self.attempts.tick(now)
        self.answers.tick(now)
        if now >= self._pulse_at:
            self._pulse_at = now + self.state.settings.heartbeat_seconds
            self.endings.pulse(now)
            self.outages.look(now)
            self.book.stale(now)
            self.feeder.unpark()  # some may wait for what is no longer so
        return self.flush(now)

    def next_deadline(self) -> float:
        """When `tick` has something to do at the latest."""
        return min(self._pulse_at, self.attempts.next_deadline(), self.answers.next_deadline())

    def set_time_of_day(self, unix_seconds: float, now: float) -> None:
        """What time of day it is at this reading of the clock; said again as it may be set."""
        self.state.unix_offset = unix_seconds - now

    def workers(self, now: float) -> tuple[WorkerStatus, ...]:
        """The table of processes: those that are here, and those that should be."""
        here = [to_status(peer, now) for peer in self.peers.values() if peer.hello.service]
        return (*here, *self.state.absent.rows(self.peers.values(), now))

    def gauges(self, now: float) -> dict[str, float]:
        """How much is open: jobs, and answers that collect has not committed. Asked each second."""
        waiting, seconds = self.answers.behind(now)
        return {
            "jobs_open": len(self.book),
            "answers_waiting": waiting,
            "answers_waiting_seconds": round(seconds, 1),
        }

    def queue_table(self) -> dict[str, dict[str, int]]:
        """Waiting in the broker, by service."""
        return self.items.table()

    def flush(self, now: float) -> list[Command]:
        """Hand out what can be handed out by now."""
        self.feeder.feed()
        self.dispatcher.run(now)
        if self.feeder.unpark_next():  # what went out has made room
            self.dispatcher.run(now)
        self.attempts.tick(now)  # a verdict that waits for nothing is said at once
        return self.state.take_commands()

    # --- pages -----------------------------------------------------------------------------

    def _result(
        self, peer: Peer, message: Result, payload: tuple[Any, ...], digest: int, now: float
    ) -> None:
        key = message.key
        parse_page_key(key)  # ValueError: of a split task only the broker itself says an end
        lease = peer.leases.pop(key, None)
        peer.running.discard(key)
        peer.progress_at = now
        item = self.items.get(key)
        if message.outcome != "outside":
            self._proved(peer)
        if message.outcome in {"done", "failed"}:
            if lease is not None and lease.running:
                peer.finished(now, now - lease.started_at)
            if item is not None and item.state != "verdict":
                if message.outcome == "done":
                    self.outages.sent_back.was_read(item)
                self.items.answered(item, peer.id)
            self.answers.pass_on(peer, message, payload, digest)
        else:
            self.state.send(peer.id, Committed((key,)))
            if item is not None and item.state == "leased" and item.peer == peer.id:
                self.attempts.came_back(item, message, now)
                if message.outcome == "outside":
                    self.outages.came_back(item, now)
        self.dispatcher.offer(peer, now)

    def _proved(self, peer: Peer) -> None:
        """It can do a page: whatever ended it before was not the process."""
        self.state.places.finished(peer.slot)
        peer.blamed = ""

    def _committed(self, _peer: Peer, message: Committed, now: float) -> None:
        for peer in self.answers.committed(message, now):
            self.dispatcher.offer(peer, now)

    # --- jobs ------------------------------------------------------------------------------

    def _submit(self, message: Submit, _now: float) -> None:
        for job, lane in message.jobs:
            if self.book.add(job, _lane(lane)):
                self.counters["jobs"] += 1
                self.items.move(job, _lane(lane))  # pages adopted before the job was known

    def _split_done(self, peer: Peer, message: SplitDone, now: float) -> None:
        lease = peer.leases.pop(message.key, None)
        peer.running.discard(message.key)
        self.feeder.split_done(message, now)
        if lease is not None:
            self._proved(peer)
            peer.finished(now, now - lease.sent_at)
        peer.progress_at = now
        self.dispatcher.offer(peer, now)

    def _closed(self, message: Closed, _now: float) -> None:
        for job in message.jobs:
            self.state.drop_job(job)

    def _cancel(self, message: Cancel, _now: float) -> None:
        self.state.drop_job(message.job)

    def _priority(self, message: Priority, _now: float) -> None:
        self.book.move(message.job, _lane(message.lane))
        self.items.move(message.job, _lane(message.lane))

    def _publish(self, message: Publish, _now: float) -> None:
        self.state.publish(message)


def _lane(name: str) -> str:
    """ProtocolError when it is none of ours."""
    try:
        return Lane(name).value
    except ValueError as error:
        raise ProtocolError(f"{name!r} is no lane.", code="bad_lane") from error
