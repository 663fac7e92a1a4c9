"""The supervisor's side of the bus: it says who ended, and hears who hangs."""

import os
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zmq

from bus.codec import decode, encode
from bus.dial import Dial
from bus.sockets import make_socket
from shared.errors import ProtocolError
from shared.messages import Exited, Heartbeat, Hello, Kill, Message, Pulse, Welcome, Who
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class KillRequest:
    """The broker holds this process for hung."""

    pid: int
    reason: str


class SupervisorLink:
    """Used from one thread. `fileno` is readable when `poll` has something."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], settings: Settings) -> None:
        self._settings = settings
        self._socket = make_socket(context, zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, uuid.uuid4().bytes)
        self._dial = Dial(self._socket, settings.bus, settings, "supervisor")
        self._epoch = ""
        self._beat_at = 0.0
        self._processes: list[dict[str, Any]] = []

    def fileno(self) -> int:
        """For a selector; edge-triggered, so poll with a timeout besides."""
        return int(self._socket.getsockopt(zmq.FD))

    def exited(self, pid: int, exit_code: int | None, signal: int | None) -> None:
        """Tell the broker that a process of this host ended, and how."""
        self._send(
            Exited(
                socket.gethostname(),
                pid,
                -1 if exit_code is None else exit_code,
                -1 if signal is None else signal,
            )
        )

    def report(self, processes: Sequence[Mapping[str, Any]]) -> None:
        """What the heartbeats say of this host's processes; at once when one changed its state."""
        before, self._processes = self._processes, [dict(process) for process in processes]
        if _states(before) != _states(self._processes):
            self._beat_at = 0.0

    def poll(self, timeout_seconds: float) -> list[KillRequest]:
        """Who hangs. Keeps the link alive: call it at least each second."""
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + self._settings.heartbeat_seconds
            self._dial.look()
            self._send(Heartbeat((), (), 0, self._status()) if self._epoch else self._hello())
        requests: list[KillRequest] = []
        wait = int(timeout_seconds * 1000)
        while self._socket.poll(wait):
            wait = 0
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
            try:
                message, _ = decode(frames[0], frames[1])
            except (ProtocolError, IndexError):
                continue  # the broker's own messages are always ours; anything else is noise
            if isinstance(message, Welcome):
                self._epoch = message.epoch
            elif isinstance(message, Who) or (
                isinstance(message, Pulse) and message.epoch != self._epoch
            ):
                self._send(self._hello())
            elif isinstance(message, Kill) and message.host == socket.gethostname():
                requests.append(KillRequest(message.pid, message.reason))
        return requests

    def close(self) -> None:
        """Close the socket."""
        self._dial.close()
        self._socket.close(linger=0)

    def _hello(self) -> Hello:
        return Hello(
            "supervisor",
            "supervisor",
            "",
            socket.gethostname(),
            os.getpid(),
            0,
            status=self._status(),
        )

    def _status(self) -> dict[str, Any]:
        return {"state": "ready", "processes": self._processes}

    def _send(self, message: Message) -> None:
        try:
            self._socket.send_multipart(encode(message), zmq.NOBLOCK)
        except zmq.Again:
            return  # the broker is away; it learns of lost processes from their connections


def _states(processes: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return [(process["name"], process["state"], process["pid"]) for process in processes]
