"""Pages that may have ended a process: they run with nobody else until it is clear which one did.

A page that crashed its process twice runs alone. Where several pages were running, nobody is
charged: they come back in two groups, each of which runs by itself. The group that ends a process
again is halved again, until the page that does it is alone and is charged (bisection: some
log2(n) more crashes for n pages that ran together, and no innocent page pays for one).
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from bus.queues import Item


@dataclass(slots=True, eq=False)
class Group:
    """Pages that run together, and beside no others. `begun` once the first of them is out."""

    service: str
    waiting: OrderedDict[str, Item]
    begun: bool = False


class Suspects:
    """The groups that have no worker yet, by service, in the order in which they came."""

    def __init__(self) -> None:
        self._unseated: dict[str, deque[Group]] = {}

    def add(self, items: Sequence[Item]) -> None:
        """One more group; its items wait in it."""
        group = Group(items[0].service, OrderedDict((item.key, item) for item in items))
        for item in items:
            item.state, item.peer, item.group = "suspect", None, group.waiting
            item.alone = item.alone or len(items) == 1
        self._unseated.setdefault(group.service, deque()).append(group)

    def halve(self, items: Sequence[Item]) -> None:
        """Two groups of those that were running when their process ended."""
        middle = (len(items) + 1) // 2
        for half in (items[:middle], items[middle:]):
            if half:
                self.add(half)

    def take(self, service: str) -> Group | None:
        """The next group that looks for a worker; those whose pages have gone are dropped."""
        groups = self._unseated.get(service)
        while groups:
            group = groups.popleft()
            if group.waiting:
                return group
        return None

    def waits(self, service: str) -> bool:
        """Whether a group of the service looks for a worker."""
        return bool(self._unseated.get(service))

    def put_back(self, group: Group) -> None:
        """Its worker is gone, or takes nothing any more."""
        if group.waiting:
            group.begun = False
            self._unseated.setdefault(group.service, deque()).appendleft(group)

    def __bool__(self) -> bool:
        return any(group.waiting for groups in self._unseated.values() for group in groups)
