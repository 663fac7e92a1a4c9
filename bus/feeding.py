"""When split works on which job (a window of pages per job, a limit of bytes per service), and
what comes of it.
"""

from typing import Any

from bus.jobs import BrokerJob
from bus.queues import Item
from bus.state import BusState
from shared.messages import PageReady, SplitDone, parse_page_key, split_key
from shared.settings import MIB

STARVING_FACTOR = 2  # a job with nothing here gets in up to so many times the limit
UNKNOWN_FACTOR = 4  # and one whose first chunk is not out: nobody knows yet where its pages go
UNPARK_PART = 16  # parked tasks are looked at again when this part of the limit came free


class Feeder:
    """Makes split tasks for hungry jobs; parks them while their service holds too many bytes."""

    def __init__(self, state: BusState) -> None:
        self._state = state
        self._peak_bytes = 0

    def feed(self) -> None:
        """Give split tasks to the jobs that have room ahead of their engine."""
        state = self._state
        for job in state.book.hungry(state.settings.window_pages):
            key = split_key(job.id)
            if state.items.get(key) is not None:
                continue  # one is on its way
            item = Item(key=key, job=job.id, service="split", lane=job.lane, header={})
            state.items.add(item)
            state.items.push(item)
        if state.items.parked:
            held = state.items.total_bytes
            self._peak_bytes = max(self._peak_bytes, held)
            if (self._peak_bytes - held) * UNPARK_PART >= state.settings.queue_mib * MIB:
                self.unpark()

    def admit(self, item: Item) -> bool:
        """Whether this split task may leave now; if not, it is parked."""
        state = self._state
        job = state.book.get(item.job)
        here = state.items.pages_of(item.job)
        if job is None or self._has_room(job.services, here):
            window = max(1, state.settings.window_pages - here)
            engines = {p.hello.engine for p in state.peers.values() if p.is_ready_engine}
            item.header = {
                "cursor": list(job.cursor) if job else [0, ""],
                "limit": min(state.settings.split_chunk_pages, window),
                "engines": sorted(engines | state.expected),
                **(self._take_rereads(job, item) if job else {}),
            }
            return True
        if not state.items.parked:
            self._peak_bytes = state.items.total_bytes
        item.state = "parked"
        state.items.parked[item.key] = item
        return False

    def _take_rereads(self, job: BrokerJob, item: Item) -> dict[str, Any]:
        """Pages to read out of turn; those of a split process that was lost come first."""
        again = item.header.get("again", ())
        lost = {(page, asked): tuple(left) for page, asked, left in again}
        job.reread = {**lost, **job.reread}
        chosen = list(job.reread)[: self._state.settings.split_chunk_pages]
        if not chosen:
            return {}
        pages = [[*page, list(job.reread.pop(page))] for page in chosen]
        return {"again": pages, "finished": job.finished}

    def unpark(self) -> None:
        """Let all parked tasks ask again."""
        items = self._state.items
        self._peak_bytes = items.total_bytes
        while items.parked:
            items.push(items.parked.popitem(last=False)[1])

    def page_ready(self, message: PageReady, payload: tuple[Any, ...], digest: int) -> None:
        """A page from split: new, or the bytes of one that a worker holds already."""
        state = self._state
        item = state.items.get(message.key)
        if item is not None:
            if not item.has_payload and item.state != "verdict":
                item.header, item.service = dict(message.header), message.service
                state.items.set_payload(item, payload, digest)  # counted for where it goes now
            return
        job = state.book.get(message.job)
        if job is None or parse_page_key(message.key)[0] != job.id:
            return  # cancelled meanwhile
        item = Item(
            key=message.key,
            job=job.id,
            service=message.service,
            lane=job.lane,
            header=dict(message.header),
            crashes=int(message.header.get("crashes", 0)),
            attempts=int(message.header.get("attempts", 0)),
        )
        trials = job.trials.pop(item.key, None)
        if trials is not None:
            item.attempts = max(item.attempts, trials.attempts)
            item.refusals = trials.refusals
            item.crashes, item.alone = max(item.crashes, trials.crashes), trials.alone
            item.tries = list(trials.tries)
        job.services.add(item.service)
        state.items.add(item)
        state.items.set_payload(item, payload, digest)
        state.items.push(item)

    def split_done(self, message: SplitDone, now: float) -> None:
        """A chunk is out; one of an earlier lease says nothing about this one."""
        item = self._state.items.get(message.key)
        if item is not None and item.lease == message.lease:
            self._state.items.remove(item)
            self._state.book.split_done(message.job, message.cursor, now, finished=message.finished)

    def _has_room(self, services: set[str], here: int) -> bool:
        items = self._state.items
        limit = self._state.settings.queue_mib * MIB
        if not services:
            return items.total_bytes < UNKNOWN_FACTOR * limit
        allowed = limit if here else STARVING_FACTOR * limit
        return all(items.bytes.get(service, 0) < allowed for service in services)
