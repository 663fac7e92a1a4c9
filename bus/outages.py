"""Pages that wait for an engine which does not read them, and may go elsewhere: read anew.

It has no ready process, or it takes pages of their kind and sends them back. Split decides where
to, from what is on the page and who takes pages; a page says in its route whether it may move.
"""

from bus.queues import Item
from bus.sent_back import SentBack
from bus.state import BusState
from bus.tries import RECOGNIZE, engine_of, note_try
from shared.messages import parse_page_key
from shared.routing import MOVES_ALWAYS, MOVES_TO_READY
from shared.settings import parse_engine

_WAITS = frozenset({"queued", "waiting", "suspect"})


class Outages:
    """Knows since when each engine has had no ready process, or has sent pages back.

    One that restarts counts as here for as long as its pages wait for it: they should not all go
    to a lesser engine while a process is replaced. So do the engines of the settings when the
    broker itself is young, since whoever is here may not have said Hello yet.
    """

    def __init__(self, state: BusState) -> None:
        self._state = state
        self._since: dict[str, float] = {}
        self._seen_ready: dict[str, float] = {}
        self._began: float | None = None
        self._ready: set[str] = set()
        self.sent_back = SentBack()

    def look(self, now: float) -> None:
        """Send pages away from the engines that have not read them for too long."""
        state = self._state
        engines = [peer for peer in state.peers.values() if peer.hello.role == "engine"]
        self._ready = ready = {peer.hello.service for peer in engines if peer.is_ready_engine}
        able = {p.hello.service for p in engines if p.status.get("state") != "blocked"}
        blocked = {peer.hello.service for peer in engines} - able
        state.expected = {engine_of(s) for s in self._expected(ready, now) - blocked}
        self.sent_back.look(engines)
        for service in list(state.items.queues):
            if not service.startswith(RECOGNIZE):
                continue
            if service in ready:
                self._since.pop(service, None)
                continue
            limit = state.settings.fallback_seconds
            if service in blocked:  # it says itself that it cannot work
                limit = min(limit, state.settings.silence_seconds)
            if now - self._since.setdefault(service, now) >= limit:
                self._clear(service, now)
        self._clear_sent_back(now)

    def came_back(self, item: Item, now: float) -> None:
        """Its engine has sent the page back and it waits to be tried there again, or moves now.

        Others of its kind may have come back for long: then it need not wait as they did.
        """
        since = self.sent_back.came_back(item, now)
        if now - since >= self._state.settings.fallback_seconds:
            self._move_sent_back(item, now - since, now)

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

    def _clear(self, service: str, now: float) -> None:
        seconds = now - self._since[service]
        why = f"No process of {engine_of(service)} has taken pages for {seconds:.0f} s."
        for item in [item for item in self._state.items if item.service == service]:
            if item.state in _WAITS:
                self._move(item, why, now, nowhere_else=True)

    def _clear_sent_back(self, now: float) -> None:
        """Those that were sent back, while nothing has shown since that the cause is gone."""
        limit = self._state.settings.fallback_seconds
        if not self.sent_back.any_since(now - limit):
            return
        for item in [item for item in self._state.items if item.sent_back_at]:
            seconds = now - self.sent_back.since(item.service, item)
            if item.state in _WAITS and seconds >= limit:
                self._move_sent_back(item, seconds, now)

    def _move_sent_back(self, item: Item, seconds: float, now: float) -> None:
        engine = engine_of(item.service)
        why = f"{engine} has sent such pages back for {seconds:.0f} s: {item.reason}"
        self._move(item, why, now)

    def _move(self, item: Item, why: str, now: float, *, nowhere_else: bool = False) -> None:
        """Send it away if it may move and there is another engine that does not send it back.

        An engine that does is left out until it is known to be well again: so no page goes to and
        fro between two of them. `nowhere_else`: its own engine is away, so where all others send
        its kind back it is tried there again: nothing else would show that one of them is well.
        """
        state = self._state
        moves = str(dict(item.header.get("route", {})).get("moves", ""))
        away = {s for s in self._ready if self.sent_back.since(s, item) < float("inf")}
        others = self._ready - away - {item.service}
        if nowhere_else and moves == MOVES_TO_READY and not others:
            others, away = away - {item.service}, set()
        if moves != MOVES_ALWAYS and not (moves == MOVES_TO_READY and others):
            return
        item.reason, item.reason_type = why, "outage"
        note_try(state, item, "outage", now)
        state.counters["moved"] += 1
        _, page, asked = parse_page_key(item.key)
        left = [engine_of(s) for s in (item.service, *sorted(away - {item.service}))]
        state.reread(item, (page, asked), left=tuple(left))
