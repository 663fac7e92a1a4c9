"""Waits for what the collect stage makes on demand, and says 202 when that takes longer."""

import asyncio
import time

from sanic import HTTPResponse
from sanic import json as json_response

from shared.errors import Conflict
from shared.followups import Wanted
from web.front import Front, Req, front_of
from web.operations import Answer, Parameter
from web.queries import whole

WAIT = Parameter(
    "wait",
    "Seconds to wait for what is not made yet (20; at most 50), before the answer is 202.",
    schema={"type": "integer", "minimum": 0, "maximum": 50},
)
MAKING = Answer("It is being made; ask again after Retry-After seconds.", 202, schema="Making")
_WAIT_SECONDS = 20
_MOST_SECONDS = 50  # below Sanic's RESPONSE_TIMEOUT
_LOOK_SECONDS = 0.15  # one indexed read each
_AGAIN_SECONDS = 2


async def wait_until_made(request: Req, job_id: str, *kinds: str) -> HTTPResponse | None:
    """None once all are made (or nobody wants them any more), the 202 answer when the wait is over.

    Conflict, with the reason, when one cannot be made.
    """
    deadline = time.monotonic() + whole(request, "wait", _WAIT_SECONDS, 0, _MOST_SECONDS)
    for kind in kinds:
        answer = await _wait(front_of(request), job_id, kind, deadline)
        if answer is not None:
            return answer
    return None


async def _wait(front: Front, job_id: str, kind: str, deadline: float) -> HTTPResponse | None:
    while True:
        wish: Wanted | None = await front.threads.run(front.store.wish, job_id, kind)
        if wish is None:
            return None
        if wish.failure is not None:
            raise Conflict(wish.failure.message, code=wish.failure.type)
        if time.monotonic() >= deadline or await _closes(front):
            body = {"job": job_id, "kind": kind, "state": "making", "asked": wish.asked}
            headers = {"Retry-After": str(_AGAIN_SECONDS)}
            return json_response(body, status=202, headers=headers)


async def _closes(front: Front) -> bool:
    """Whether the server stops within the time between two looks."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await front.closing.wait()
    except TimeoutError:
        return False
    return True
