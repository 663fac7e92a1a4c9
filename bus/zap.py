"""ZAP: libzmq asks here whether a client key may open a connection.

A small handler of our own, polled by the broker's one thread: the allowlist and the counters then
belong to that thread alone. libzmq fails closed meanwhile (a handshake waits for the answer), and
`ZAP_ENFORCE_DOMAIN` makes it fail closed also without a handler: CURVE alone lets every key in.
Source: https://rfc.zeromq.org/spec/27/.
"""

from collections.abc import Callable

import zmq
from zmq.utils import z85

ADDRESS = "inproc://zeromq.zap.01"
VERSION = b"1.0"

# (domain, public key in Z85, address of the client) -> whether it may come in
Decide = Callable[[str, bytes, str], bool]


class ZapHandler:
    """Answers what waits on its socket. Make it before any socket that it guards is bound."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], decide: Decide) -> None:
        self._decide = decide
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(ADDRESS)

    def drain(self) -> None:
        """Answer all that wait."""
        while self.socket.poll(0):
            frames = self.socket.recv_multipart(zmq.NOBLOCK)
            reply = answer(frames[2:], self._decide)
            if reply is not None:
                self.socket.send_multipart([*frames[:2], *reply], zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)


def answer(request: list[bytes], decide: Decide) -> list[bytes] | None:
    """The reply to one request; its user id is the client's public key. None: not a request."""
    if len(request) < 6 or request[0] != VERSION:
        return None
    _, number, domain, address, _, mechanism, *credentials = request
    if mechanism != b"CURVE" or len(credentials) != 1 or len(credentials[0]) != 32:
        return _reply(number, b"400", b"CURVE is needed", b"")
    public = z85.encode(credentials[0])
    if not decide(domain.decode("utf-8", "replace"), public, address.decode("utf-8", "replace")):
        return _reply(number, b"400", b"This key is not allowed", b"")
    return _reply(number, b"200", b"OK", public)


def _reply(number: bytes, status: bytes, text: bytes, user: bytes) -> list[bytes]:
    return [VERSION, number, status, text, user, b""]
