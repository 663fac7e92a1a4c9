"""Engines that take pages and send them back unread, for a cause beside the page, and since when.

Weights for scans are missing while text layers are read, say, or a server behind the engine is
away. So it is known for each kind of page: those with a sound text layer, and the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bus.peers import Peer
from bus.queues import Item

SOUND = "sound"  # a text layer that is, in a page's route

Place = tuple[str, bool]  # service, and whether the page's text layer is sound


@dataclass(slots=True)
class _Record:
    """`complained` once its processes have said meanwhile that they cannot do all their work."""

    since: float
    complained: bool = False


class SentBack:
    """A record stands from the first page that came back until there is proof that the cause is
    gone: a page of that kind was read there, or a complaint of the engine has ended.
    """

    def __init__(self) -> None:
        self._records: dict[Place, _Record] = {}

    def came_back(self, item: Item, now: float) -> float:
        """The page was sent back. Since when it, or others of its kind, have been."""
        item.sent_back_at = item.sent_back_at or now
        record = self._records.setdefault(_place(item.service, item), _Record(now))
        return min(item.sent_back_at, record.since)

    def was_read(self, item: Item) -> None:
        """The engine has read this page."""
        self._records.pop(_place(item.service, item), None)

    def since(self, service: str, item: Item) -> float:
        """Since when pages of its kind come back from there; infinite when they do not."""
        record = self._records.get(_place(service, item))
        return record.since if record is not None else float("inf")

    def any_since(self, before: float) -> bool:
        """Whether pages of any kind have come back since then or longer."""
        return any(record.since <= before for record in self._records.values())

    def look(self, engines: Iterable[Peer]) -> None:
        """Hear what the engines say of themselves."""
        ready = [peer for peer in engines if peer.is_ready_engine]
        here = {peer.hello.service for peer in ready}
        complain = {peer.hello.service for peer in ready if peer.status.get("degraded")}
        for place, record in list(self._records.items()):
            if place[0] in complain:
                record.complained = True
            elif record.complained and place[0] in here:
                del self._records[place]


def _place(service: str, item: Item) -> Place:
    return service, dict(item.header.get("route", {})).get("text") == SOUND
