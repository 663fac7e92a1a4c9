"""DeepSeek-OCR and DeepSeek-OCR-2 at their true sizes with random weights, on one GPU.

    python -m tests.bench.deepseek_full_size [--families deepseek-ocr,...] [--native [PAGES]]

Seconds to load, memory, pages a second in batches, and what a batch does that does not fit; with
--native instead PAGES pages through the native runtime, and 64 in step through transformers, of as
many tokens. One JSON line each; 7 GB are written below --scratch.
"""

import argparse
import gc
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.deepseek.checkpoint import Checkpoint
from engines.deepseek.families import family_of
from engines.deepseek.loading import model_classes
from engines.deepseek.native.native_runtime import NativeRuntime
from engines.deepseek.runtime import Generation, Request, Runtime
from engines.deepseek.transformers_runtime import TransformersRuntime
from tests.fakes.deepseek_models import make_tokenizer, redraw_weights
from tests.fakes.request_feeds import RequestBatch

GIB = 2**30
LANGUAGE = {
    "bos_token_id": 0,
    "eos_token_id": 1,
    "first_k_dense_replace": 1,
    "hidden_size": 1280,
    "intermediate_size": 6848,
    "max_position_embeddings": 8192,
    "moe_intermediate_size": 896,
    "n_group": 1,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_attention_heads": 10,
    "num_experts_per_tok": 6,
    "num_hidden_layers": 12,
    "num_key_value_heads": 10,
    "topk_group": 1,
    "topk_method": "greedy",
    "vocab_size": 129280,
}
ORIGINALS = {
    "deepseek-ocr": "DeepseekOCRForCausalLM",
    "deepseek-ocr-2": "DeepseekOCR2ForCausalLM",
}


def build(directory: Path, family: str) -> None:
    """Write a model with random weights as the hub has it: its original config, no native one."""
    config = {
        "model_type": "deepseek_vl_v2",
        "architectures": [ORIGINALS[family]],
        "language_config": LANGUAGE,
    }
    native = Checkpoint(directory, family_of(config), config).native_config()
    config_class, model_class = model_classes(str(native["model_type"]))
    with torch.device("cuda"):
        model = model_class._from_config(config_class.from_dict(native), dtype=torch.bfloat16)
    redraw_weights(model)
    make_tokenizer(directory)
    model.save_pretrained(directory)
    for name in ("generation_config.json", "config.json"):
        (directory / name).unlink(missing_ok=True)
    (directory / "config.json").write_text(json.dumps(config))


def requests(count: int, tokens: int) -> list[Request]:
    """A4 pages at 150 dpi: a view of 1024 and six tiles."""
    noise = np.random.default_rng(0)
    pages = [noise.integers(0, 256, (1754, 1240, 3), np.uint8).tobytes() for _ in range(4)]
    prompt = "<image>\n<|grounding|>Convert the document to markdown."
    return [
        Request(str(n), pages[n % 4], 1240, 1754, prompt, max_tokens=tokens) for n in range(count)
    ]


def measure(runtime: Runtime, count: int, tokens: int) -> dict[str, Any]:
    """Read so many pages; how fast, and what capacities the runtime told."""
    feed = RequestBatch(requests(count, tokens))
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.synchronize()
    started = time.perf_counter()
    found = list(runtime.run(feed, lambda: None))
    torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    done = [outcome for outcome in found if isinstance(outcome, Generation)]
    return {
        "pages": count,
        "answered": len(done),
        "tokens_a_page": tokens,
        "pages_per_second": round(len(done) / seconds, 3),
        "tokens_per_second": round(sum(outcome.tokens for outcome in done) / seconds, 1),
        "prefill_ms": round(done[0].timings.get("prefill", 0)) if done else None,
        "decode_ms": round(done[-1].timings.get("decode", 0)) if done else None,
        "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2),
        "batches": feed.capacities,
    }


def load(runtime: Runtime, family: str) -> None:
    """Load it, and say how long that took and what it holds."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    started = time.perf_counter()
    runtime.load()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    held = torch.cuda.memory_allocated() - before
    say(family, runtime, load_seconds=round(seconds, 2), held_gib=round(held / GIB, 2))
    measure(runtime, 2, 4)  # kernels are chosen and built


def say(family: str, runtime: Runtime, **values: Any) -> None:
    """Print a line."""
    print(json.dumps({"family": family, "runtime": runtime.name, **values}), flush=True)


def in_batches(directory: Path, family: str, tokens: int) -> None:
    """Batches of several sizes, and one with too little memory for it."""
    runtime = TransformersRuntime(str(directory))
    load(runtime, family)
    for count in (1, 16, runtime.capacity):
        runtime.set_batch(count)
        say(family, runtime, **measure(runtime, count, tokens))
    # as if others had the card: room for some pages only
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 14 * GIB) / total)
    say(family, runtime, memory_left_gib=14, **measure(runtime, runtime.capacity, 16))
    torch.cuda.set_per_process_memory_fraction(1.0)
    runtime.close()


def side_by_side(directory: Path, family: str, pages: int, tokens: int) -> None:
    """The native runtime, and transformers with 64 pages in step."""
    native = NativeRuntime(str(directory))
    load(native, family)
    measure(native, min(24, pages), 40)  # the last of what is compiled by need
    say(family, native, **dict(native.details()))
    say(family, native, **measure(native, pages, tokens))
    native.close()
    del native
    gc.collect()
    slow = TransformersRuntime(str(directory), batch=64)
    load(slow, family)
    say(family, slow, **measure(slow, 64, tokens))
    slow.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm/quire-full-size"))
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--families", default=",".join(ORIGINALS))
    parser.add_argument("--native", type=int, nargs="?", const=256, default=0)
    asked = parser.parse_args()
    print(json.dumps({"device": torch.cuda.get_device_name(0), "torch": torch.__version__}))
    for family in asked.families.split(","):
        directory = asked.scratch / family
        directory.mkdir(parents=True, exist_ok=True)
        build(directory, family)
        if asked.native:
            side_by_side(directory, family, asked.native, asked.tokens)
        else:
            in_batches(directory, family, asked.tokens)
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
