"""Background tasks that are not lost: the event loop itself keeps only weak references."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)
_kept: set[asyncio.Task[Any]] = set()


def keep(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a task, hold it until it ends, and log the error that it may end with."""
    task = asyncio.create_task(work, name=name)  # noqa: TID251  the one place that keeps it
    _kept.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    _kept.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("The task %s ended with an error.", task.get_name(), exc_info=error)
