"""A client's connection to the broker: its key, and what to do when the broker refuses it."""

import logging
import time
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from bus.keys import ClientKey, client_key
from bus.sockets import is_private
from shared.errors import Misconfigured
from shared.settings import Settings

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0  # a refused key may be allowed again meanwhile
QUIET_SECONDS = 60.0
_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_ANY_HOSTS = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  how to reach


class Dial:
    """Connects one socket, and again after a refusal: libzmq itself gives up for ever then.

    Call `look` about each second, from the thread that owns the socket.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], address: str, settings: Settings, role: str
    ) -> None:
        """Connect.

        Misconfigured: a public address without a key, or a key that cannot be read; the socket is
        closed then.
        """
        try:
            key = _key_for(address, settings, role)
        except Misconfigured:
            socket.close()
            raise
        if key is not None:
            socket.setsockopt(zmq.CURVE_PUBLICKEY, key.pair.public)
            socket.setsockopt(zmq.CURVE_SECRETKEY, key.pair.secret)
            socket.setsockopt(zmq.CURVE_SERVERKEY, key.server)
        self._name = key.name if key else ""
        self._socket = socket
        self._address = reachable(address)
        self._monitor: Any = socket.get_monitor_socket(_REFUSED)
        self._again_at: float | None = None
        self._said_at = float("-inf")
        if "[" in self._address:
            socket.setsockopt(zmq.IPV6, 1)
        socket.connect(self._address)

    def look(self) -> None:
        """Say that the broker refuses, and try again after a while."""
        now = time.monotonic()
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)
            self._again_at = now + AGAIN_SECONDS
            if now - self._said_at > QUIET_SECONDS:
                self._said_at = now
                log.error("%s", self._sentence(event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH))
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            self._socket.disconnect(self._address)
            self._socket.connect(self._address)

    def close(self) -> None:
        """End the watch. Before the socket is closed, by the same thread."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)

    def _sentence(self, by_key: bool) -> str:  # noqa: FBT001  the two ways to be refused
        if by_key:
            return (
                f"The broker at {self._address} refuses the key {self._name!r}: it is revoked, or "
                "of another broker. `quire keys add NAME` on the broker's host makes a new one."
            )
        return (
            f"The broker at {self._address} speaks otherwise: one of the two has keys and the "
            "other has none. Name the key with --bus-key or --bus-keys."
        )


def _key_for(address: str, settings: Settings, role: str) -> ClientKey | None:
    key = client_key(settings, role)
    if key is None and not is_private(address):
        raise Misconfigured(
            f"{address} is on another host, and there is no key for it. On the broker's host "
            "run `quire keys add NAME`, bring NAME.key here, and name it with --bus-key.",
            param="bus_key",
        )
    return key


def reachable(address: str) -> str:
    """Where a client finds what is bound to this address."""
    if not address.startswith("tcp://"):
        return address
    rest = address.removeprefix("tcp://")
    host, _, port = rest.rpartition(":")
    found = _ANY_HOSTS.get(host.strip("[]"))
    return f"tcp://{found}:{port}" if found else address
