"""A process that reads pages while its memory really runs out: `cramped_child MODEL PAGES MIB`.

It reads them one by one, then in one batch with so many MiB more than it has by then; JSON on its
output says what came of both, and which capacities it told.
"""

import json
import resource
import sys

import numpy as np
import psutil
import torch

from engines.deepseek.runtime import Generation, Request
from engines.deepseek.transformers_runtime import TransformersRuntime
from tests.fakes.request_feeds import RequestBatch

SIDE = 512


def main() -> None:
    """Read, take memory away, read again."""
    model, pages, mib = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    noise = np.random.default_rng(3)
    requests = [
        Request(
            str(number),
            noise.integers(0, 256, (40, 30, 3), np.uint8).tobytes(),
            30,
            40,
            "<image>\nFree OCR.",
            view=SIDE,
            tiles=False,
            max_tokens=2,
        )
        for number in range(pages)
    ]
    runtime = TransformersRuntime(model, device="cpu", batch=1)
    runtime.load()
    alone = _texts(runtime, RequestBatch(requests))
    runtime.set_batch(pages)
    limit = psutil.Process().memory_info().vms + mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    feed = RequestBatch(requests)
    together = _texts(runtime, feed)
    print(json.dumps({"alone": alone, "together": together, "capacities": feed.capacities}))


def _texts(runtime: TransformersRuntime, feed: RequestBatch) -> dict[str, str]:
    return {
        outcome.key: outcome.text
        for outcome in runtime.run(feed, lambda: None)
        if isinstance(outcome, Generation)
    }


if __name__ == "__main__":
    main()
