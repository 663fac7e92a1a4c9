"""Watches what a lane queue hands out, and holds it to its turns: between jobs, between lanes."""

from collections import Counter, deque

from bus.queues import LANES, Item, LaneQueue

FLOOR_EVERY = 10  # a tenth, by the rules of the bus


class Turns:
    """In place of `queue.pop`: after each page it asserts the bounds.

    Between jobs of a lane: from when a job waits until its next page, each other job there has one
    page at most. Between lanes: of ten pages in a row one at least is of a lower lane, where one
    waits all along, and no more than one where the highest waits all along too.
    """

    def __init__(self, queue: LaneQueue) -> None:
        self._queue, self._pop = queue, queue.pop
        self._before: dict[tuple[str, str], Counter[str]] = {}
        self._last: deque[tuple[str, list[bool]]] = deque(maxlen=FLOOR_EVERY)
        self.windows = 0  # of ten, in which lanes were held to their floor
        self.waited = 0  # pages that had to wait for another job's
        self._remove, self._move = queue.remove, queue.move
        queue.pop = self.pop  # type: ignore[method-assign]
        queue.remove = self.remove  # type: ignore[method-assign]
        queue.move = self.move  # type: ignore[method-assign]

    def remove(self, item: Item) -> None:
        self._remove(item)
        self.look()

    def move(self, job: str, lane: str, state: str = "queued") -> None:
        self._move(job, lane, state)
        self.look()

    def look(self) -> None:
        """Who waits now: one who comes again after it was gone waits anew."""
        waiting = {(lane, job) for lane in LANES for job in self._queue._lanes[lane]}
        self._before = {place: self._before.get(place, Counter()) for place in waiting}

    def pop(self) -> Item | None:
        self.look()
        waits = [bool(jobs) for jobs in self._queue._strict]
        item = self._pop()
        if item is None:
            return None
        before = self._before.pop((item.lane, item.job))
        self.waited += before.total()
        for (lane, job), others in self._before.items():
            if lane == item.lane:
                others[item.job] += 1
                assert others[item.job] <= 1, f"{job} waits for a second page of {item.job}"
        self._last.append((item.lane, waits))
        self._check_lanes()
        return item

    def _check_lanes(self) -> None:
        if len(self._last) < FLOOR_EVERY:
            return
        low = sum(lane != LANES[0] for lane, _ in self._last)
        if all(waits[1] or waits[2] for _, waits in self._last):
            self.windows += 1
            assert low >= 1, "the lower lanes have no floor"
            if all(waits[0] for _, waits in self._last):
                assert low == 1, "the highest lane is not first"
