"""Sockets with the options that every one of ours has."""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import zmq

from shared.errors import Misconfigured

_NOW = int(zmq.NOBLOCK)
_NOW_AND_MORE = int(zmq.NOBLOCK) | int(zmq.SNDMORE)
_COPY_BYTES = 64 * 1024  # above this sending without a copy is cheaper
HIGH_WATER_MARK = 10_000  # a tripwire, not flow control: credit keeps far below it
MAX_MESSAGE_BYTES = 1024 * 1024 * 1024
RECONNECT_MS = 50
RECONNECT_MAX_MS = 1000
# A cut link says nothing. Without these TCP itself waits ever longer, up to minutes, before it
# notices that the link is back; so the dead connection is given up and a new one dialled.
UNANSWERED_MS = 5000
CONNECT_MS = 2000


def make_socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    """A socket that never blocks at exit, never drops silently, and is bounded."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    socket.setsockopt(zmq.TCP_MAXRT, UNANSWERED_MS)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_MS)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a new connection of a peer replaces its old one
    return socket


def is_private(address: str) -> bool:
    """Whether only this machine can reach the address."""
    if address.startswith(("ipc://", "inproc://")):
        return True
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name, an interface, or *: what it leads to may change


def check_bind(address: str, *, keyed: bool) -> None:
    """Misconfigured when the address can be reached from other hosts and nobody needs a key."""
    if keyed or is_private(address):
        return
    raise Misconfigured(
        f"The bus would listen on {address}, which other hosts can reach, without keys. Make them "
        "with `quire keys` and name their directory with --bus-keys (or QUIRE_BUS_KEYS), or use "
        "a loopback or ipc address for QUIRE_BUS and QUIRE_BUS_EVENTS.",
        param="bus",
    )


def send_frames(socket: zmq.Socket[bytes], frames: Sequence[Any]) -> None:
    """Send one message or raise zmq.ZMQError (Again: nobody takes it). Never blocks.

    As `send_multipart`, in half its time: that computes with enums for each frame, and makes a
    message object of each, where small ones are better copied.
    """
    last = len(frames) - 1
    for number, frame in enumerate(frames):
        flags = _NOW if number == last else _NOW_AND_MORE
        socket.send(frame, flags, copy=len(frame) < _COPY_BYTES)


def receive_frames(socket: zmq.Socket[bytes]) -> list[zmq.Frame]:
    """The next message, not copied. zmq.Again when there is none."""
    frame = socket.recv(_NOW, copy=False)
    frames = [frame]
    while frame.more:
        frame = socket.recv(_NOW, copy=False)
        frames.append(frame)
    return frames
