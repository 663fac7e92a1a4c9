"""Sockets with the options that every one of ours has."""

from urllib.parse import urlsplit

import zmq

from shared.errors import Misconfigured

HIGH_WATER_MARK = 10_000  # a tripwire, not flow control: credit keeps far below it
MAX_MESSAGE_BYTES = 1024 * 1024 * 1024
RECONNECT_MS = 50
RECONNECT_MAX_MS = 1000


def make_socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    """A socket that never blocks at exit, never drops silently, and is bounded."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a new connection of a peer replaces its old one
    return socket


def check_private(address: str) -> None:
    """Misconfigured when the address can be reached from other hosts: the bus has no keys yet."""
    if address.startswith(("ipc://", "inproc://")):
        return
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return
    raise Misconfigured(
        f"The bus would listen on {address}, which other hosts can reach, without keys. "
        "Use a loopback or ipc address for QUIRE_BUS and QUIRE_BUS_EVENTS.",
        param="bus",
    )
