"""The broker's door: who is let in, as what, and who was refused.

Without keys it lets everyone in and says nothing: the address is then one that only this machine
can reach (`bus.sockets.check_bind`).
"""

import logging
import time
from collections import Counter, OrderedDict
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from bus.keys import Grant, KeyPair, allowed, changed_at, directory_of, server_key
from bus.permissions import MAY_WATCH, require_permission
from bus.zap import ZapHandler
from shared.errors import ProtocolError
from shared.messages import Message
from shared.settings import Settings

log = logging.getLogger(__name__)

BUS, EVENTS = "bus", "events"  # ZAP domains
REFUSED = "refused_handshakes"
# with the second kind the client saw first that it has no key, or that ours is another, and hung up
FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
QUIET_SECONDS = 60.0  # a refused client tries again each second: one line a minute says so
_MAX_REMEMBERED = 256
_WHY: dict[int, str] = {
    zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: "it expects another broker's key",
    zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: "it shows no key",
}


class Door:
    """Guards the broker's two sockets. `counters` are the broker's."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        settings: Settings,
        counters: Counter[str],
    ) -> None:
        """Misconfigured when the keys cannot be read."""
        self._key: KeyPair | None = server_key(settings)
        self._directory = directory_of(settings) if self._key else None
        self._counters = counters
        self._grants: dict[bytes, Grant] = {}
        self._changed_at = 0
        self._revoked: set[bytes] = set()
        self._said: OrderedDict[str, float] = OrderedDict()
        self._problems: list[str] = []
        self._monitor: Any = None
        self._zap: ZapHandler | None = None
        if self._key:
            self._counters[REFUSED] = 0  # zero is news, too: it is looked at from the start
            self._read()
            self._zap = ZapHandler(context, self._decide)

    def guard(self, socket: zmq.Socket[bytes], domain: str) -> None:
        """Let only allowed keys connect. Before `bind`."""
        if self._key is None:
            return
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._key.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._key.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, domain.encode())
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        if domain == EVENTS:
            self._monitor = socket.get_monitor_socket(FAILED)

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """For the broker's poller."""
        return [self._zap.socket, self._monitor] if self._zap else []

    def drain(self) -> None:
        """Answer handshakes that wait."""
        if self._zap is None:
            return
        self._zap.drain()
        while self._monitor.poll(0):
            self.failed(recv_monitor_message(self._monitor))

    def refresh(self) -> set[bytes]:
        """Read the allowlist anew; the public keys that went from it since the last call."""
        self._read()
        revoked, self._revoked = self._revoked, set()
        return revoked

    def _read(self) -> None:
        if self._directory is None:
            return
        self._changed_at = changed_at(self._directory)  # first: a change meanwhile is seen later
        grants, problems = allowed(self._directory)
        for problem in problems:
            if problem not in self._problems:
                log.error("%s", problem)
        self._problems = problems
        before, self._grants = self._grants, {grant.public: grant for grant in grants}
        for public in before.keys() - self._grants.keys():
            log.warning("the key %s is revoked", before[public].name)
        self._revoked |= before.keys() - self._grants.keys()

    def check(self, frame: zmq.Frame, message: Message) -> bytes:
        """The public key that the sender of this frame has shown; b"" without keys.

        ProtocolError (`forbidden`) when that key may not send such a message, or is revoked.
        """
        if self._key is None:
            return b""
        public = str(frame.get("User-Id")).encode()
        grant = self._grants.get(public)
        if grant is None:
            raise ProtocolError("A message of a revoked key was dropped.", code="forbidden")
        require_permission(grant, message)
        return public

    def failed(self, event: Any) -> None:
        """A handshake that libzmq itself refused, before any key was looked at."""
        code = int(event["value"])
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            why = "it hung up before it had shown a key"
        else:
            why = _WHY.get(code, f"it broke the protocol (code {code:x})")
        self._refused(f"A connection to {event['endpoint'].decode()} was refused: {why}.")

    def close(self) -> None:
        """Close the sockets. After those that it guards."""
        if self._monitor is not None:
            self._monitor.close(linger=0)
        if self._zap is not None:
            self._zap.close()

    def _decide(self, domain: str, public: bytes, address: str) -> bool:
        # a key that was made a moment ago is let in at once, for one look at a directory: strangers
        # who knock all the time must not have the whole list read each time
        if self._directory is not None and changed_at(self._directory) != self._changed_at:
            self._read()
        grant = self._grants.get(public)
        where = address or "this machine"
        if grant is None:
            start = public[:8].decode()
            self._refused(f"A client at {where} was refused: its key ({start}...) is not allowed.")
            return False
        if domain == EVENTS and grant.role not in MAY_WATCH:
            self._refused(f"The key {grant.name} ({grant.role}) at {where} may not read events.")
            return False
        return True

    def _refused(self, sentence: str) -> None:
        now = time.monotonic()
        if now - self._said.get(sentence, float("-inf")) > QUIET_SECONDS:
            self._said[sentence] = now
            self._said.move_to_end(sentence)
            log.warning("%s", sentence)
        if len(self._said) > _MAX_REMEMBERED:
            self._said.popitem(last=False)
        self._counters[REFUSED] += 1
