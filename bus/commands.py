"""What the broker's decisions ask for: messages to one peer, and to everyone who watches."""

from dataclasses import dataclass
from typing import Any

from shared.messages import Message, Publish


@dataclass(frozen=True, slots=True)
class Send:
    """Command: send this to that peer. `digest` is the payload's hash as its sender said."""

    peer: bytes
    message: Message
    payload: tuple[Any, ...] = ()
    digest: int = 0


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Command: publish this to everyone who watches."""

    message: Publish


Command = Send | Broadcast
