"""The same measurements for every peer: two worker processes, results wanted, closed loop or not.

A peer gives `put(payload, nap)`, which hands in one task, and `get(handle)`, which waits for its
result. Redis, where one is used, listens on REDIS_PORT of this machine.
"""

import argparse
import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REDIS_PORT = int(os.environ.get("REDIS_PORT", "16399"))
SMALL = b"x" * 32
LARGE = random.Random(7).randbytes(300 * 1024)
NAP = 0.005
BOOK = 1000


@contextmanager
def workers(*command: str, count: int = 1) -> Iterator[None]:
    """Processes that end with the measurement."""
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    here = Path(__file__).parent
    processes = [subprocess.Popen(command, cwd=here, **quiet) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def share(values: list[float], part: float) -> float:
    """A percentile, in milliseconds."""
    return round(1000 * sorted(values)[min(len(values) - 1, int(part * len(values)))], 2)


def measure(name: str, put: Callable[[Any, float], Any], get: Callable[[Any], Any]) -> None:
    """All figures of one peer, a line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--large", type=int, default=400)
    arguments = parser.parse_args()
    for _ in range(20):
        get(put(SMALL, 0.0))
    found: dict[str, Any] = {"peer": name}
    for what, payload, count in (
        ("small", SMALL, arguments.small),
        ("large", LARGE, arguments.large),
    ):
        began = time.perf_counter()
        for handle in [put(payload, 0.0) for _ in range(count)]:
            get(handle)
        found[f"{what}_a_second"] = round(count / (time.perf_counter() - began), 1)
    trips = []
    for _ in range(200):
        began = time.perf_counter()
        get(put(SMALL, 0.0))
        trips.append(time.perf_counter() - began)
    found |= {"p50_ms": share(trips, 0.5), "p99_ms": share(trips, 0.99)}
    began = time.perf_counter()
    get(put(SMALL, NAP))
    alone = time.perf_counter() - began
    book = [put(SMALL, NAP) for _ in range(BOOK)]
    began = time.perf_counter()
    get(put(SMALL, NAP))
    behind = time.perf_counter() - began
    for handle in book:
        get(handle)
    found |= {"alone_ms": round(1000 * alone, 1), "behind_book_ms": round(1000 * behind, 1)}
    print(json.dumps(found), flush=True)
