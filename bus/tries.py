"""What became of the tries at a page: told at once to those who watch, and with its answer."""

from collections.abc import Mapping
from typing import Any

from bus.queues import Item
from bus.state import BusState
from shared.messages import Publish, parse_page_key

MAX_TRIES = 16  # of one page that are told; a page beyond that only waits for an engine
RECOGNIZE = "recognize."


def note_try(state: BusState, item: Item, outcome: str, now: float, worker: str = "") -> None:
    """A try at this page came to nothing for `item.reason`, and it is tried again or ends."""
    if item.is_split:
        return
    job, page, asked = parse_page_key(item.key)
    engine = engine_of(item.service)
    entry = {
        "engine": engine,
        "outcome": outcome,
        "reason": item.reason,
        "reason_type": item.reason_type,
        "worker": worker,
        "at": state.unix_seconds(now),
    }
    if len(item.tries) < MAX_TRIES:
        item.tries.append(entry)
    data = {"page": page, "asked": asked, "engine": engine, "reason": item.reason}
    state.publish(Publish(job, "returned", 0, data))


def mend_reason(item: Item) -> None:
    """More is known now about the last try."""
    if item.tries:
        item.tries[-1]["reason"] = item.reason


def told_of(item: Item) -> Mapping[str, Any]:
    """What an answer's header says of the page's tries."""
    return {"tries": list(item.tries)} if item.tries else {}


def engine_of(service: str) -> str:
    """The engine behind a service."""
    return service.removeprefix(RECOGNIZE)
