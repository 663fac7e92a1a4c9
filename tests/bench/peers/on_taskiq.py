"""taskiq on Redis streams, which acknowledge: `python on_taskiq.py`."""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

from common import REDIS_PORT, measure, workers
from taskiq.serializers import MSGPackSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

URL = f"redis://127.0.0.1:{REDIS_PORT}/5"
broker = (
    RedisStreamBroker(URL)
    .with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=120))
    .with_serializer(MSGPackSerializer())
)


@broker.task(task_name="work")
async def work(payload: str, nap: float) -> int:
    """A page that costs nothing, or a nap."""
    await asyncio.sleep(nap)
    return len(payload)


if __name__ == "__main__":
    taskiq = str(Path(sys.executable).parent / "taskiq")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(broker.startup())

    def put(payload: bytes, nap: float) -> Any:  # its messages are text
        return loop.run_until_complete(work.kiq(base64.b64encode(payload).decode(), nap))

    def get(task: Any) -> Any:
        return loop.run_until_complete(task.wait_result(check_interval=0.002, timeout=300))

    options = ("--workers", "2", "--max-async-tasks", "1", "--log-level", "ERROR")
    with workers(taskiq, "worker", "on_taskiq:broker", *options):
        measure("taskiq, Redis stream", put, get)
    loop.run_until_complete(broker.shutdown())
