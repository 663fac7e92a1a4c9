"""Pages a second of the native runtime on one GPU, beside the floor and beside `generate`.

    python -m tests.bench.deepseek_native [--pages 768] [--only bf16,float8,small,generate]

Prints one table, and writes what it measured, line by line, to results.jsonl in --out. All runs go
through `Runtime.run`: pixels in, text out, from empty to drained. DEEPSEEK.md keeps the results.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from engines.deepseek.families import V2
from engines.deepseek.image_plan import plan_image
from engines.deepseek.native.memory import free_bytes
from engines.deepseek.native.native_runtime import NativeRuntime
from engines.deepseek.native.views import GpuViews
from engines.deepseek.prompt import prepare
from engines.deepseek.runtime import Generation
from tests.bench.deepseek_floor import floor
from tests.bench.deepseek_true_size import LENGTHS, Waiting, make_model, make_requests

SMALL_GPU = 24 << 30
KINDS = ("views", "bf16", "float8", "small", "generate")


class Results:
    """Lines of a table, kept as they come: a run that is cut off leaves what it had."""

    def __init__(self, out: Path, name: str = "results.jsonl") -> None:
        self._file = out / name
        self.lines: list[dict[str, Any]] = []

    def add(self, name: str, **values: Any) -> None:
        """Keep and print a line."""
        line = {"name": name, **values}
        self.lines.append(line)
        print(json.dumps(line), flush=True)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def measure_ceilings() -> dict[str, float]:
    """Bandwidth of a copy in TB/s (read and written) and rate of a bf16 product in TFLOP/s."""
    source = torch.empty(1 << 31, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    copy = timed(lambda: target.copy_(source))
    product = timed(lambda: torch.mm(a, b))
    return {
        "copy_tb_s": round(2 * 2**31 / copy / 1e9, 2),
        "bf16_tflop_s": round(2 * 8192**3 / product / 1e9),
    }


def timed(call: Callable[[], object], repeats: int = 7, warm_ups: int = 2) -> float:
    """Median milliseconds of a call, by events."""
    times = []
    for number in range(warm_ups + repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        if number >= warm_ups:
            times.append(begin.elapsed_time(end))
    return median(times)


def run_pages(
    runtime: NativeRuntime, count: int, *, lengths: tuple[int, int] = LENGTHS
) -> dict[str, Any]:
    """From empty to drained: rate, rate of the middle half, first page, longest stall."""
    requests = make_requests(count, lengths=lengths)
    feed = Waiting(requests)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    ends, tokens = [], 0
    for outcome in runtime.run(feed, lambda: None):
        assert isinstance(outcome, Generation), outcome
        tokens += outcome.tokens
        ends.append(time.perf_counter() - start)
    seconds = ends[-1]
    quarter, three = ends[count // 4], ends[3 * count // 4]
    return {
        "pages": count,
        "seconds": round(seconds, 2),
        "pages_s": round(count / seconds, 2),
        "middle_pages_s": round(count / 2 / max(three - quarter, 1e-9), 2),
        "tokens_s": round(tokens / seconds),
        "first_page_s": round(ends[0], 2),
        "longest_stall_ms": runtime.details()["longest_stall_ms"],
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1),
    }


def native(results: Results, name: str, pages: int, *, float8: bool = False) -> None:
    """Build, load, read one page (what is not compiled yet is compiled), then many."""
    runtime = NativeRuntime("random", float8_kv=float8)
    model = make_model("cuda")
    begin = time.perf_counter()
    runtime.adopt(model)
    torch.cuda.synchronize()
    ready = time.perf_counter() - begin
    del model
    first = run_pages(runtime, 1)
    details = dict(runtime.details())
    room = {key: details[key] for key in ("pages_at_once", "kv_tokens")}
    ready_line = {"ready_s": round(ready, 1), "then_first_page_s": first["seconds"], **room}
    results.add(f"{name} start", **ready_line)
    run_pages(runtime, 24, lengths=(8, 40))  # the last of what is compiled by need
    results.add(name, **run_pages(runtime, pages))
    runtime.close()
    del runtime
    gc.collect()
    torch.cuda.empty_cache()


def views(results: Results) -> None:
    """Milliseconds a page, the copy of its pixels included: one at a time, eight at once."""
    device, pages = torch.device("cuda"), make_requests(8)
    make = GpuViews(device, torch.bfloat16)
    pixels = [page.pixels for page in pages]
    plans = [plan_image(V2, page.width, page.height) for page in pages]
    one = timed(lambda: [make([page], [plan]) for page, plan in zip(pixels, plans, strict=True)])
    results.add(
        "views of a page",
        one_by_one_ms=round(one / 8, 2),
        eight_at_once_ms=round(timed(lambda: make(pixels, plans)) / 8, 2),
    )


def generate(results: Results) -> None:
    """transformers' own loop: one page at a time, and 64 in step."""
    loaded = make_model("cuda")
    for cudnn, batch, tokens in ((True, 1, 60), (False, 1, 100), (False, 64, 60)):
        # cuDNN's attention, on by default, plans anew for each length: most of a step.
        torch.backends.cuda.enable_cudnn_sdp(cudnn)
        pages = [prepare(request, loaded) for request in make_requests(batch)]
        inputs = {
            "input_ids": torch.tensor([page.ids for page in pages], device="cuda"),
            "pixel_values": torch.stack([page.views.view for page in pages]),
            "pixel_values_local": torch.cat([page.views.tiles for page in pages]),
            "num_local_patches": [page.plan.tiles for page in pages],
        }
        begin = time.perf_counter()
        with torch.inference_mode():
            features = [
                feature
                for at in range(0, batch, 4)
                for feature in loaded.model.get_image_features(
                    inputs["pixel_values"][at : at + 4],
                    inputs["pixel_values_local"][6 * at : 6 * at + 24],
                    inputs["num_local_patches"][at : at + 4],
                    return_dict=True,
                ).pooler_output
            ]
        torch.cuda.synchronize()
        vision = time.perf_counter() - begin
        times = {
            made: _generate_seconds(loaded.model, inputs, features, made) for made in (2, tokens)
        }
        step = (times[tokens] - times[2]) / (tokens - 2)
        page = (vision + times[2] + 998 * step) / batch
        results.add(
            f"generate, {batch} at once{', cuDNN attention' if cudnn else ''}",
            pages_s=round(1 / page, 3),
            step_ms=round(step * 1000, 1),
        )


def _generate_seconds(
    model: Any, inputs: dict[str, Any], features: list[Any], tokens: int
) -> float:
    from transformers.modeling_outputs import BaseModelOutputWithPooling  # noqa: PLC0415

    torch.cuda.synchronize()
    begin = time.perf_counter()
    with torch.inference_mode():
        model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=torch.ones_like(inputs["input_ids"]),
            mm_encoder_outputs={"image": BaseModelOutputWithPooling(pooler_output=features)},
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=768)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--out", type=Path, default=Path("tests/bench/out"))
    arguments = parser.parse_args()
    results = Results(arguments.out)
    results.add("ceilings", gpu=torch.cuda.get_device_name(), **measure_ceilings())
    wanted = arguments.only.split(",")
    if "views" in wanted:
        views(results)
    if "bf16" in wanted:
        native(results, "native bf16", arguments.pages)
    if "float8" in wanted:
        native(results, "native float8", arguments.pages, float8=True)
    if "small" in wanted:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(SMALL_GPU / total)
        print(f"{free_bytes(torch.device('cuda')) >> 20} MiB may be taken")
        native(results, "native bf16, 24 GiB", min(arguments.pages, 192))
        torch.cuda.set_per_process_memory_fraction(1.0)
    if "generate" in wanted:
        generate(results)
    print("| | pages/s |\n|---|---|")
    for line in results.lines:
        if "pages_s" in line:
            print(f"| {line['name']} | {line['pages_s']} |")
    for float8 in (False, True):
        least = floor(768, float8=float8)
        print(f"| floor, {'float8' if float8 else 'bf16'} | {least.pages_per_second:.1f} |")


if __name__ == "__main__":
    main()
