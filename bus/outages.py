"""Pages that wait for an engine without a ready process, and may go elsewhere: read anew.

Split decides where to, from what is on the page and who takes pages; a page says in its route
whether it may move at all.
"""

from bus.queues import Item
from bus.state import BusState
from bus.tries import RECOGNIZE, engine_of, note_try
from shared.messages import parse_page_key
from shared.routing import MOVES_ALWAYS, MOVES_TO_READY
from shared.settings import parse_engine

_WAITS = frozenset({"queued", "waiting", "suspect"})


class Outages:
    """Knows since when each engine has had no ready process.

    One that restarts counts as here for as long as its pages wait for it: they should not all go
    to a lesser engine while a process is replaced. So do the engines of the settings when the
    broker itself is young, since whoever is here may not have said Hello yet.
    """

    def __init__(self, state: BusState) -> None:
        self._state = state
        self._since: dict[str, float] = {}
        self._seen_ready: dict[str, float] = {}
        self._began: float | None = None

    def look(self, now: float) -> None:
        """Send pages away from the engines that have been gone for too long."""
        state = self._state
        engines = [peer for peer in state.peers.values() if peer.hello.role == "engine"]
        ready = {peer.hello.service for peer in engines if peer.is_ready_engine}
        able = {p.hello.service for p in engines if p.status.get("state") != "blocked"}
        blocked = {peer.hello.service for peer in engines} - able
        state.expected = {engine_of(s) for s in self._expected(ready, now) - blocked}
        for service in list(state.items.queues):
            if service in ready or not service.startswith(RECOGNIZE):
                self._since.pop(service, None)
                continue
            limit = state.settings.fallback_seconds
            if service in blocked:  # it says itself that it cannot work
                limit = min(limit, state.settings.silence_seconds)
            if now - self._since.setdefault(service, now) >= limit:
                self._clear(service, now, others=bool(ready))

    def _expected(self, ready: set[str], now: float) -> set[str]:
        """The services of engines that should be ready again soon."""
        settings = self._state.settings
        self._seen_ready |= dict.fromkeys(ready, now)
        for service, at in list(self._seen_ready.items()):
            if now - at >= settings.fallback_seconds:
                del self._seen_ready[service]
        if self._began is None:
            self._began = now
        young = now - self._began < settings.silence_seconds
        configured = {RECOGNIZE + parse_engine(text).name for text in settings.engines}
        return set(self._seen_ready) | (configured if young else set())

    def _clear(self, service: str, now: float, *, others: bool) -> None:
        seconds = now - self._since[service]
        for item in [item for item in self._state.items if item.service == service]:
            moves = str(dict(item.header.get("route", {})).get("moves", ""))
            if item.state in _WAITS and (
                moves == MOVES_ALWAYS or (moves == MOVES_TO_READY and others)
            ):
                self._move(item, seconds, now)

    def _move(self, item: Item, seconds: float, now: float) -> None:
        state = self._state
        engine = engine_of(item.service)
        item.reason = f"No process of {engine} has taken pages for {seconds:.0f} s."
        item.reason_type = "outage"
        note_try(state, item, "outage", now)
        state.counters["moved"] += 1
        _, page, asked = parse_page_key(item.key)
        state.reread(item, (page, asked), left=engine)
