"""How processes end, hang and fall silent: what each of them ran is charged, or is not.

The worst of four signals wins: its connection ended; its supervisor says that it ended; it says
nothing any more; its work stands still past its deadline.
"""

from bus.answers import Answers
from bus.attempts import Attempts, Place, how_it_ended
from bus.dispatch import Dispatcher
from bus.limits import MAX_LARGE
from bus.peers import Peer
from bus.queues import Item
from bus.silence import Silence, Silent
from bus.state import BusState
from shared.messages import Bye, Exited, Kill, Pulse


class Endings:
    """Looks who is gone, and settles what becomes of their work."""

    def __init__(
        self, state: BusState, dispatcher: Dispatcher, attempts: Attempts, answers: Answers
    ) -> None:
        self._state = state
        self._dispatcher = dispatcher
        self._attempts = attempts
        self._answers = answers
        self._hung: dict[Place, str] = {}
        self._silence = Silence()
        self._pulsed_at = 0.0

    def spoke(self, peer_id: bytes) -> None:
        """It said Hello: if it was silent, it lives after all."""
        self._silence.spoke(peer_id)

    def bye(self, peer: Peer, _message: Bye, now: float) -> None:
        """It leaves by itself: no crash."""
        for lease in peer.leases.values():
            lease.running = False
        self.lose(peer, "it left", now)
        self._state.absent.left(peer)

    def exited(self, message: Exited, now: float) -> None:
        """The supervisor's word: a process ended."""
        how = how_it_ended(message)
        for peer in list(self._state.peers.values()):
            if (peer.hello.host, peer.hello.pid) == (message.host, message.pid):
                self._hung.setdefault((message.host, message.pid), how)
                self.lose(peer, how, now)
        for silent in self._silence.take_process(message.host, message.pid):
            self._charge_late(silent, how, known=True, now=now)
        self._attempts.exited(message, now)

    def disconnected(self, peer_id: bytes, why: str, now: float) -> None:
        """Its socket is gone, and so is the process, unless it says Hello again."""
        peer = self._state.peers.get(peer_id)
        if peer is not None:
            self.lose(peer, why, now)
        silent = self._silence.take(peer_id)
        if silent is not None:
            self._charge_late(silent, why, known=False, now=now)

    def lose(self, peer: Peer, why: str, now: float) -> None:
        """A process is gone: what it ran is charged, what it held goes back."""
        state, place = self._state, (peer.hello.host, peer.hello.pid)
        known = self._hung.pop(place, None)
        running = self._withdraw(peer)
        front = not state.places.is_held(peer.slot)  # on trial it takes a new page each time
        self._end(peer, running, known or why, now=now, known=known is not None, front=front)
        self._answers.lost(peer, now)
        state.absent.lost(peer, known or why, now)

    def pulse(self, now: float) -> None:
        """Each second: say that the broker lives; look who is silent and who hangs."""
        self._forgive_own_absence(now)
        for peer in list(self._state.peers.values()):
            if now - peer.seen_at > self._state.settings.silence_seconds:
                self._went_silent(peer, now)
                continue
            self._state.send(peer.id, Pulse(self._state.epoch))
            self._check_progress(peer, now)
            peer.blamed = self._state.places.sentence(peer.slot, now)
            if peer.blamed:
                self._dispatcher.offer(peer, now)
        for silent in self._silence.take_hung(now):
            stood = now - silent.since
            self._found_hung(silent.peer, now)
            self._kill(silent.peer, f"silent for {stood:.0f} s")
            why = f"it said nothing for {stood:.0f} s and was ended"
            self._charge_late(silent, why, known=True, now=now)

    # --- how a process ends ------------------------------------------------------------------

    def _withdraw(self, peer: Peer) -> list[Item]:
        """Forget the peer; what it had not begun goes back. Those that it ran."""
        state = self._state
        del state.peers[peer.id]
        self._dispatcher.withdraw(peer)
        state.find_collector()
        state.counters["lost_peers"] += 1
        running = []
        for key, lease in reversed(peer.leases.items()):
            item = state.items.get(key)
            if item is None or item.peer != peer.id or item.state != "leased":
                continue
            if lease.running:
                running.append(item)
            else:
                state.requeue(item)
        return running[::-1]

    def _end(
        self, peer: Peer, running: list[Item], why: str, *, now: float, known: bool, front: bool
    ) -> None:
        """The process ended while it ran these: one is charged, of several nobody."""
        if not running:
            return
        place = (peer.hello.host, peer.hello.pid)
        charged = running[0].key if len(running) == 1 else None
        if charged is not None:
            self._attempts.crashed(running[0], place, why, now, known=known, front=front)
        else:
            self._attempts.crashed_together(running, place, why, now, known=known)
        self._note_crash(peer, [item.key for item in running], charged, now)

    def _note_crash(self, peer: Peer, running: list[str], charged: str | None, now: float) -> None:
        was_held = self._state.places.is_held(peer.slot)
        self._attempts.forgive(self._state.places.crashed(peer.slot, running, charged, now))
        if not was_held and self._state.places.is_held(peer.slot):
            self._state.counters["bad_workers"] += 1

    # --- silence ---------------------------------------------------------------------------

    def _forgive_own_absence(self, now: float) -> None:
        """A broker that was stopped or starved has heard nobody: that is no silence of theirs."""
        settings = self._state.settings
        gap = now - self._pulsed_at - settings.heartbeat_seconds
        if self._pulsed_at and gap > settings.silence_seconds / 2:
            for peer in self._state.peers.values():
                peer.seen_at, peer.progress_at = peer.seen_at + gap, peer.progress_at + gap
        self._pulsed_at = now

    def _went_silent(self, peer: Peer, now: float) -> None:
        running = self._withdraw(peer)
        for item in reversed(running):
            item.reason_type = "silent"
            item.reason = f"The process that read it said nothing for {now - peer.seen_at:.0f} s."
            self._attempts.silent(item, now)
        if peer.hello.service:
            hangs_at = peer.seen_at + self._hang_seconds(peer)
            self._silence.add(peer, tuple(item.key for item in running), hangs_at)
        self._answers.lost(peer, now)
        self._state.absent.lost(peer, "", now, silent=True)

    def _charge_late(self, silent: Silent, why: str, *, known: bool, now: float) -> None:
        """The silent process is dead: as for `lose`, but its pages have gone to others."""
        place = (silent.peer.hello.host, silent.peer.hello.pid)
        charged = silent.running[0] if len(silent.running) == 1 else None
        item = self._state.items.get(charged) if charged is not None else None
        if item is not None:
            if item.state in {"queued", "waiting", "suspect"}:
                self._attempts.crashed(item, place, why, now, known=known)
            elif item.state == "leased":
                self._attempts.charge(item, place, why, now, known=known)
        if silent.running:
            self._note_crash(silent.peer, list(silent.running), charged, now)

    def _check_progress(self, peer: Peer, now: float) -> None:
        if len(peer.answered) >= MAX_LARGE:
            peer.progress_at = now  # it waits for collect, which is no fault of its own
        if not peer.running or peer.kill_asked:
            return
        stood = now - peer.progress_at
        if stood <= self._hang_seconds(peer):
            return
        peer.kill_asked = True
        self._found_hung(peer, now)
        reason = f"no progress for {stood:.0f} s on {', '.join(sorted(peer.running))}"
        self._hung[peer.hello.host, peer.hello.pid] = f"it hung ({reason}) and was ended"
        self._dispatcher.offer(peer, now)
        self._kill(peer, reason)

    def _found_hung(self, peer: Peer, now: float) -> None:
        self._state.counters["hangs"] += 1
        self._state.absent.hung(peer, now)

    def _hang_seconds(self, peer: Peer) -> float:
        settings = self._state.settings
        least = settings.hang_seconds
        if peer.hello.role == "split":  # it waits for a child that has limits of its own
            least += max(settings.open_seconds, settings.page_seconds)
        return max(least, settings.hang_factor * (peer.usual_seconds or 0.0))

    def _kill(self, peer: Peer, reason: str) -> None:
        for other in self._state.peers.values():
            if other.hello.role == "supervisor" or other is peer:
                self._state.send(other.id, Kill(peer.hello.host, peer.hello.pid, reason))
