"""Compiles all kernels of a model side by side, while its weights are still being loaded.

Compiling one after the other, as they are first needed, is most of a first start. Which kernels a
model needs hangs on how wide its layers are and how many pages there is room for, not on how many
layers it has nor on what its weights are: so two layers of it, with no weights, go through
everything that the runtime does before its first page, and what they would launch is compiled.
Where that was done before, Triton's cache has it, and a rehearsal would only cost its two seconds.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import triton

from engines.deepseek.checkpoint import Checkpoint
from engines.deepseek.image_plan import ImagePlan
from engines.deepseek.loading import model_classes
from engines.deepseek.native import kernels
from engines.deepseek.native.kernels import norms
from engines.deepseek.native.launching import compile_only
from engines.deepseek.native.operations_triton import TritonOperations
from engines.deepseek.native.runner import Runner
from engines.deepseek.native.sizes import Sizes
from engines.deepseek.native.views import GpuViews
from engines.deepseek.native.vision import Vision
from engines.deepseek.native.weights import take_text_weights

log = logging.getLogger(__name__)

_MOST_THREADS = 16  # beyond, Python's lock is what they wait for


def stamp_of(checkpoint: Checkpoint, sizes: Sizes, kinds: Sequence[object]) -> Path:
    """The file beside Triton's cache that says that this was compiled before.

    `kinds` is what else decides which kernels there are: precisions, the GPU.
    """
    sources = sorted(Path(kernels.__file__).parent.glob("*.py"))
    parts = [path.read_bytes() for path in sources]
    room = replace(sizes, blocks=0)  # how many there are decides nothing
    parts += [repr((checkpoint.native_config(), room, kinds, triton.__version__)).encode()]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    cache = os.environ.get("TRITON_CACHE_DIR") or Path.home() / ".triton" / "cache"
    return Path(cache) / f"quire-{digest}"


class Rehearsal:
    """Goes on in a thread of its own from when it is made until `finish`, which leaves `stamp`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        plan: ImagePlan,
        sizes: Sizes,
        device: torch.device,
        dtype: torch.dtype,
        *,
        float8: bool,
        stamp: Path,
    ) -> None:
        self._stamp = stamp
        # Made here and not in the thread: transformers sets torch's default dtype for all threads.
        model = _two_layers(checkpoint, device, dtype)
        little = Sizes(
            sizes.blocks_per_page, sizes.slots, sizes.max_tokens, sizes.chunk_pages, sizes.graphs,
            sizes.block_tokens,
        )  # fmt: skip
        stop = model.config.text_config.eos_token_id
        kv_type = torch.float8_e4m3fn if float8 else dtype
        with torch.inference_mode():
            operations = TritonOperations(float8=float8, launch=compile_only)
            runner = Runner(
                take_text_weights(model, sizes.max_tokens),
                Vision(model, operations, 6 * sizes.chunk_pages),
                GpuViews(device, dtype, launch=compile_only),
                little,
                operations,
                stop if isinstance(stop, list | tuple) else (stop,),
                kv_type,
            )
        self._pool = ThreadPoolExecutor(1, "rehearsal")
        self._done: Future[None] = self._pool.submit(_compile, runner, plan, device)

    def finish(self) -> None:
        """Wait until all is compiled, and free what that took."""
        try:
            self._done.result()
            self._stamp.parent.mkdir(parents=True, exist_ok=True)
            self._stamp.touch()
        except torch.OutOfMemoryError as error:
            # The weights have the memory: what is not compiled yet is, when it is first needed.
            log.info("the kernels are compiled one by one: %s", error)
        self._pool.shutdown()
        torch.cuda.empty_cache()


def _compile(runner: Runner, plan: ImagePlan, device: torch.device) -> None:
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    # One by itself: Triton's key of itself, half a gigabyte read, is then known to all threads.
    compile_only(norms.silu_mul, (1, 1))(*[torch.empty(2, 2, device=device)] * 2, 1, 1)
    with ThreadPoolExecutor(threads, "compile") as pool, triton.AsyncCompileMode(pool):
        runner.warm_up(plan, record=False)


def _two_layers(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:
    """The model with one layer of each kind, its weights whatever lay in memory."""
    config = checkpoint.native_config()
    text = dict(config["text_config"])
    text |= {"num_hidden_layers": 2, "mlp_layer_types": ["dense", "sparse"]}
    if text.get("layer_types"):
        text["layer_types"] = text["layer_types"][:2]
    vision = {name: dict(part) for name, part in config["vision_config"].items()}
    vision["sam_config"] |= {"num_hidden_layers": 2, "global_attn_indexes": [1]}
    vision["encoder_config"] |= {"num_hidden_layers": 1}
    vision["encoder_config"].pop("layer_types", None)
    config = dict(config) | {"text_config": text, "vision_config": vision}
    config_class, model_class = model_classes(str(config["model_type"]))
    with torch.device("meta"), torch.no_grad():
        model = model_class(config_class.from_dict(config)).to(dtype).eval()
    return model.to_empty(device=device)
