"""What happens to a page that came back without a result: back-off, crash, verdict."""

import heapq
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from bus.queues import Item
from bus.state import BusState
from bus.tries import mend_reason, note_try, told_of
from shared.messages import Exited, Result

VERDICT_RESEND_SECONDS = 1.0  # collect commits within milliseconds; a second means it was lost
EXIT_GRACE_SECONDS = 0.25  # the supervisor's word on an exit comes this much later at most
MAX_BACKOFF_SECONDS = 30.0
MAX_EXITS = 256  # ends of processes that wait for the supervisor's word

Place = tuple[str, int]  # host and process


class Attempts:
    """Counts attempts, and ends pages that had enough of them."""

    def __init__(self, state: BusState) -> None:
        self._state = state
        self._waiting: list[tuple[float, int, Item]] = []
        self._due: list[tuple[float, int, Item]] = []
        self._charged: OrderedDict[Place, list[str]] = OrderedDict()

    def next_deadline(self) -> float:
        """When `tick` has something to do; infinite when never."""
        return min(
            [heap[0][0] for heap in (self._waiting, self._due) if heap], default=float("inf")
        )

    def tick(self, now: float) -> None:
        """Queue what has waited long enough; say verdicts that are not committed."""
        while self._waiting and self._waiting[0][0] <= now:
            at, _, item = heapq.heappop(self._waiting)
            if item.state == "waiting" and item.ready_at == at:
                self._state.requeue(item)
        while self._due and self._due[0][0] <= now:
            at, _, item = heapq.heappop(self._due)
            if item.state == "verdict" and item.ready_at == at:
                self._say_verdict(item, now)

    def came_back(self, item: Item, message: Result, now: float) -> None:
        """`refused` is charged to the page, `outside` never is."""
        item.reason = str(message.header.get("reason", ""))
        item.reason_type = str(message.header.get("reason_type", ""))
        refused = message.outcome == "refused"
        worker = str(message.header.get("worker", ""))
        note_try(self._state, item, "failed" if refused else "outside", now, worker)
        if refused:
            item.refusals += 1
            self._state.counters["refused"] += 1
            if item.refusals >= self._state.settings.page_attempts:
                self._verdict(item, now)
                return
            self._wait(item, item.refusals, now)
        else:
            item.outages += 1
            self._state.counters["outages"] += 1
            self._wait(item, item.outages, now)

    def crashed(
        self, item: Item, place: Place, why: str, now: float, *, known: bool, front: bool = True
    ) -> None:
        """It ran, and nothing beside it, in a process that ended: charged, and tried again.

        `known`: `why` is the last word on the ending. A page goes to the head of its job, or
        (`front` False) behind the others; a split task waits, each time longer.
        """
        self.charge(item, place, why, now, known=known)
        if item.crashes >= self._state.settings.crash_attempts:
            item.header["quarantined"] = True
            self._verdict(item, now if known else now + EXIT_GRACE_SECONDS)
        elif item.is_split:
            self._wait(item, item.crashes, now)
        else:
            self._state.requeue(item, front=front)

    def charge(self, item: Item, place: Place, why: str, now: float, *, known: bool) -> None:
        """Count a crash against it; it stays where it is."""
        self._state.counters["crashes"] += 1
        self._blame(item, place, why, now, known=known)
        item.crashes += 1
        item.charged_to = place

    def crashed_together(
        self, items: Sequence[Item], place: Place, why: str, now: float, *, known: bool
    ) -> None:
        """They all ran in a process that ended: nobody is charged, and they run apart from others.

        Of those without their bytes nothing can be sent: they are read again first.
        """
        self._state.counters["crashes_shared"] += 1
        here = [item for item in items if item.has_payload]
        for item in items:
            self._blame(item, place, why, now, known=known)
            self._state.items.take_out(item)
            if not item.has_payload:
                self._state.requeue(item)
        if here:
            self._state.items.queue(here[0].service)  # so that the dispatcher looks there
            self._state.suspects.halve(here)

    def silent(self, item: Item, now: float) -> None:
        """It ran in a process that says nothing any more; the second one is not risked at once."""
        item.silences += 1
        if item.silences == 1:
            self._state.requeue(item)
        else:
            self._wait_until(item, now + self._state.settings.hang_seconds)

    def forgive(self, charges: Mapping[str, int]) -> None:
        """These charges were the fault of a process."""
        for key, number in charges.items():
            item = self._state.items.get(key)
            if item is not None and item.state != "verdict":
                item.crashes = max(0, item.crashes - number)
                self._state.counters["forgiven"] += number

    def exited(self, message: Exited, now: float) -> None:
        """The supervisor's word on a process that was lost before."""
        place = (message.host, message.pid)
        for key in self._charged.pop(place, ()):
            item = self._state.items.get(key)
            if item is not None and item.charged_to == place:
                item.reason = _sentence(how_it_ended(message), item)
                mend_reason(item)
                item.header["exit_code"] = message.exit_code
                item.header["signal"] = message.signal
                if item.state == "verdict":
                    self._say_verdict(item, now)

    def _blame(self, item: Item, place: Place, why: str, now: float, *, known: bool) -> None:
        item.reason_type, item.reason = "crashed", _sentence(why, item)
        note_try(self._state, item, "crashed", now)
        if not known:
            self._charged.setdefault(place, []).append(item.key)
            if len(self._charged) > MAX_EXITS:
                self._charged.popitem(last=False)

    def _wait(self, item: Item, tries: int, now: float) -> None:
        first = self._state.settings.backoff_seconds
        seconds = min(first * 2 ** min(tries - 1, 10), MAX_BACKOFF_SECONDS)
        self._wait_until(item, now + seconds)

    def _wait_until(self, item: Item, at: float) -> None:
        self._state.items.take_out(item)
        item.ready_at, item.state, item.peer = at, "waiting", None
        heapq.heappush(self._waiting, (item.ready_at, self._state.sequence(), item))

    def _verdict(self, item: Item, say_at: float) -> None:
        """The broker itself ends a page; said until collect has committed it."""
        self._state.items.take_out(item)
        self._state.items.drop_payload(item)
        item.state, item.peer, item.ready_at = "verdict", None, say_at
        self._state.counters["verdicts"] += 1
        heapq.heappush(self._due, (say_at, self._state.sequence(), item))

    def _say_verdict(self, item: Item, now: float) -> None:
        item.ready_at = now + VERDICT_RESEND_SECONDS
        heapq.heappush(self._due, (item.ready_at, self._state.sequence(), item))
        collector = self._state.taker()
        if collector is None:
            return
        header = {
            "reason": item.reason,
            "reason_type": item.reason_type or "refused",
            "attempts": max(item.attempts, item.refusals + item.crashes),
            "crashes": item.crashes,
            "quarantined": bool(item.header.get("quarantined")),
            "route": dict(item.header.get("route", {})),
            "options": dict(item.header.get("options", {})),
            **told_of(item),
        }
        for name in ("exit_code", "signal"):
            if item.header.get(name, -1) != -1:
                header[name] = item.header[name]
        message = Result(item.key, item.lease, "failed", header)
        self._state.send(collector, message)


def how_it_ended(message: Exited) -> str:
    """For people: the signal or the exit code of a process."""
    if message.signal >= 0:
        return f"it died of signal {message.signal}"
    return f"it ended with exit code {message.exit_code}"


def _sentence(why: str, item: Item) -> str:
    what = "opened the document" if item.is_split else "read this page"
    return f"The process that {what} was lost: {why}."
