"""Ray tasks, and Ray actors in turns: `python on_ray.py [tasks|actors]`."""

import itertools
import logging
import os
import sys
import time
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from common import measure


@ray.remote(num_cpus=1)
def work(payload: bytes, nap: float) -> int:
    """A page that costs nothing, or a nap."""
    time.sleep(nap)
    return len(payload)


@ray.remote(num_cpus=0)
class Actor:
    """The same in a process of its own."""

    def work(self, payload: bytes, nap: float) -> int:
        time.sleep(nap)
        return len(payload)


if __name__ == "__main__":
    kind = sys.argv.pop(1)
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
        object_store_memory=1 << 30,
    )
    if kind == "tasks":
        measure("Ray tasks", work.remote, ray.get)
    else:
        actors = [Actor.remote() for _ in range(2)]
        turns = itertools.cycle(actors)

        def put(payload: bytes, nap: float) -> Any:
            return next(turns).work.remote(payload, nap)

        measure("Ray actors", put, ray.get)
    ray.shutdown()
