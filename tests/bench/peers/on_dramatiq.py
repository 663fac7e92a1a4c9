"""Dramatiq on Redis, results kept: `python on_dramatiq.py`."""

import base64
import sys
import time
from pathlib import Path
from typing import Any

import dramatiq
from common import REDIS_PORT, measure, workers
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

redis = RedisBroker(host="127.0.0.1", port=REDIS_PORT, db=2)
backend = RedisBackend(host="127.0.0.1", port=REDIS_PORT, db=2)
redis.add_middleware(Results(backend=backend))
dramatiq.set_broker(redis)


@dramatiq.actor(store_results=True, actor_name="work")
def work(payload: str, nap: float) -> int:
    """A page that costs nothing, or a nap."""
    time.sleep(nap)
    return len(payload)


if __name__ == "__main__":
    redis.client.flushdb()
    program = str(Path(sys.executable).parent / "dramatiq")

    def put(payload: bytes, nap: float) -> Any:  # its messages are JSON
        return work.send(base64.b64encode(payload).decode(), nap)

    with workers(program, "on_dramatiq", "-p", "2", "-t", "1"):
        measure(
            "Dramatiq",
            put,
            lambda message: message.get_result(backend=backend, block=True, timeout=300_000),
        )
