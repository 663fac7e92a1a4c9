"""When split works on which job: a window of pages per job, a limit of bytes per service."""

from bus.queues import Item
from bus.state import BusState
from shared.messages import split_key
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
                "engines": sorted(engines),
            }
            return True
        if not state.items.parked:
            self._peak_bytes = state.items.total_bytes
        item.state = "parked"
        state.items.parked[item.key] = item
        return False

    def unpark(self) -> None:
        """Let all parked tasks ask again."""
        items = self._state.items
        self._peak_bytes = items.total_bytes
        while items.parked:
            items.push(items.parked.popitem(last=False)[1])

    def _has_room(self, services: set[str], here: int) -> bool:
        items = self._state.items
        limit = self._state.settings.queue_mib * MIB
        if not services:
            return items.total_bytes < UNKNOWN_FACTOR * limit
        allowed = limit if here else STARVING_FACTOR * limit
        return all(items.bytes.get(service, 0) < allowed for service in services)
