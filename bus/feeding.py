"""When split works on which job (a window of pages per job, one of bytes for all), and what
comes of it.
"""

from typing import Any

from bus.jobs import BrokerJob
from bus.queues import Item, LaneQueue
from bus.state import BusState
from shared.messages import PageReady, SplitDone, parse_page_key, split_key


class Feeder:
    """Makes split tasks for hungry jobs; parks them while their pages would find no room."""

    def __init__(self, state: BusState) -> None:
        self._state = state
        self._window = state.items.window

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

    def admit(self, item: Item) -> bool:
        """Whether this split task may leave now; if not, it is parked."""
        state, window = self._state, self._window
        job = state.book.get(item.job)
        here = state.items.pages_of(item.job)
        services = job.services if job else set()
        for service in services or {""}:
            if not window.has_room(service, not here):
                state.items.park(item, service, starving=not here)
                return False
        most = min(state.settings.split_chunk_pages, window.pages(services))
        limit = min(most, max(1, state.settings.window_pages - here))
        engines = {p.hello.engine for p in state.peers.values() if p.is_ready_engine}
        item.header = {
            "cursor": list(job.cursor) if job else [0, ""],
            "limit": limit,
            "engines": sorted(engines | state.expected),
            **(self._take_rereads(job, item, most) if job else {}),
        }
        pages = len(item.header.get("again", ())) or limit
        state.items.promise(item, int(pages * window.usual_bytes(services)))
        return True

    def _take_rereads(self, job: BrokerJob, item: Item, most: int) -> dict[str, Any]:
        """Pages to read out of turn; those of a split process that was lost come first."""
        again = item.header.get("again", ())
        lost = {(page, asked): tuple(left) for page, asked, left in again}
        job.reread = {**lost, **job.reread}
        chosen = list(job.reread)[:most]
        if not chosen:
            return {}
        pages = [[*page, list(job.reread.pop(page))] for page in chosen]
        return {"again": pages, "finished": job.finished}

    def unpark_next(self) -> bool:
        """Let a parked task of each kind that has room again ask; whether there was any.

        One by one, as split takes them: with each that leaves there is less room.
        """
        items = self._state.items
        if not items.parked or items.queue("split").pages:
            return False
        found = False
        for (service, starving), parked in items.parked.items():
            if parked.pages and self._window.has_room(service, starving):
                self._push_parked(parked)
                found = True
        return found

    def unpark(self) -> None:
        """Let all parked tasks ask again."""
        for parked in self._state.items.parked.values():
            while parked.pages:
                self._push_parked(parked)

    def _push_parked(self, parked: LaneQueue) -> None:
        item = parked.pop()
        assert item is not None
        self._state.items.push(item)

    def page_ready(self, message: PageReady, payload: tuple[Any, ...], digest: int) -> None:
        """A page from split: new, or the bytes of one that a worker holds already."""
        state = self._state
        item = state.items.get(message.key)
        if item is not None:
            if item.is_out and not item.has_payload:
                item.header, item.service = dict(message.header), message.service
                state.items.set_payload(item, payload, digest)
            return
        job = state.book.get(message.job)
        of_job, page, asked = parse_page_key(message.key)
        if job is None or of_job != job.id:
            return  # cancelled meanwhile
        job.services.add(message.service)
        if not self._window.takes(message.service):
            state.counters["pages_put_off"] += 1
            state.book.reread(job.id, (page, asked), job.left.get((page, asked), ()))
            return
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
        state.items.add(item)
        state.items.set_payload(item, payload, digest)
        state.items.push(item)
        task = state.items.get(split_key(job.id))
        if task is not None and task.promised:
            state.items.promise(task, max(0, task.promised - item.size))

    def split_done(self, message: SplitDone, now: float) -> None:
        """A chunk is out; one of an earlier lease says nothing about this one."""
        item = self._state.items.get(message.key)
        if item is not None and item.lease == message.lease:
            self._state.items.remove(item)
            self._state.book.split_done(message.job, message.cursor, now, finished=message.finished)
