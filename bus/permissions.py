"""Which messages the key of a role may send: the first column of ARCHITECTURE's message table."""

from bus.keys import Grant
from shared.errors import ProtocolError
from shared.messages import (
    Bye,
    Cancel,
    Closed,
    Committed,
    Exited,
    Heartbeat,
    Hello,
    Message,
    PageReady,
    Priority,
    Publish,
    Result,
    Returned,
    SplitDone,
    Started,
    Submit,
)

_PRESENCE = frozenset({Hello, Heartbeat, Bye})
_WORK = _PRESENCE | {Started, Result, Returned}
MAY_SEND: dict[str, frozenset[type]] = {
    "engine": _WORK,
    "split": _WORK | {PageReady, SplitDone, Publish, Closed},
    "collect": _PRESENCE | {Committed, Submit, Publish, Closed},
    "supervisor": _PRESENCE | {Exited},
    "web": frozenset({Submit, Cancel, Closed, Priority}),
}
MAY_WATCH = frozenset({"web"})  # whose keys open the events


def require_permission(grant: Grant, message: Message) -> None:
    """ProtocolError (`forbidden`) unless a holder of this key may say that.

    An engine's key opens nothing but its own service: it can neither commit, nor feed pages, nor
    end processes, nor cancel jobs, whatever its Hello claims to be.
    """
    if type(message) not in MAY_SEND[grant.role]:
        raise _forbidden(f"The key {grant.name} ({grant.role}) may not send", message)
    if isinstance(message, Hello) and not _is_its_own(grant, message):
        raise _forbidden(f"The key {grant.name} ({grant.role}) may not join as", message)


def _is_its_own(grant: Grant, hello: Hello) -> bool:
    if hello.role != grant.role:
        return False
    if grant.role == "engine":
        bound = grant.engine in {"", hello.engine}
        return bound and bool(hello.engine) and hello.service == f"recognize.{hello.engine}"
    return not hello.engine and hello.service in {"", grant.role}


def _forbidden(sentence: str, message: Message) -> ProtocolError:
    what = type(message).__name__
    if isinstance(message, Hello):
        what = f"{message.role[:40]!r} of {message.service[:80]!r}"
    return ProtocolError(f"{sentence} {what}.", code="forbidden")
