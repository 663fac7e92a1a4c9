"""The native runtime behind the engine's boundary."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from engines.deepseek.checkpoint import Checkpoint, find_checkpoint
from engines.deepseek.families import Family
from engines.deepseek.image_plan import ImagePlan, plan_image
from engines.deepseek.loading import LoadedModel, load_model, model_classes
from engines.deepseek.memory import Memory, ran_out
from engines.deepseek.native import slots as fields
from engines.deepseek.native.memory import free_bytes, no_memory
from engines.deepseek.native.operations_torch import Operations, TorchOperations
from engines.deepseek.native.runner import LOOPED, MakeViews, Pixels, Runner, Text
from engines.deepseek.native.scheduler import Page
from engines.deepseek.native.sizes import BLOCK_TOKENS, BLOCK_TOKENS_FLOAT8, Sizes, sizes_for
from engines.deepseek.native.support import why_not_float8, why_not_this
from engines.deepseek.native.vision import Vision
from engines.deepseek.native.weights import take_text_weights
from engines.deepseek.pixels import Views, make_views
from engines.deepseek.prompt import plan_prompt
from engines.deepseek.runtime import (
    LENGTH,
    LOOP,
    STOP,
    Generation,
    Outcome,
    Request,
    RequestFeed,
    Runtime,
)
from shared.errors import OutsideFailed, PageFailed

if TYPE_CHECKING:
    from engines.deepseek.native.rehearsal import Rehearsal

REHEARSAL_BYTES = 8 << 30  # two layers and a chunk's activations must not be in the weights' way
MOST_TOKENS = 16384  # of one page: a larger context only costs tables
_REASONS = {fields.STOPPED: STOP, fields.LIMITED: LENGTH, LOOPED: LOOP}


class NativeRuntime(Runtime):
    """Many pages at once on one GPU.

    `model` names a directory or a model on the hub. `float8_kv` keeps keys and values in float8:
    more pages fit and steps are shorter, and each number has 3 bits of mantissa. Without `sizes`
    they follow from the memory that is free. On `cpu` the plain operations run: for tests.
    """

    name = "native"

    def __init__(
        self,
        model: str,
        *,
        device: str = "cuda",
        dtype: str = "bfloat16",
        float8_kv: bool = False,
        sizes: Sizes | None = None,
    ) -> None:
        self._model, self._device, self._dtype = model, device, dtype
        self._float8, self._sizes = float8_kv, sizes
        self._loaded: LoadedModel | None = None
        self._runner: Runner | None = None
        self._load_seconds = 0.0
        self._memory = Memory()
        # cuDNN's attention plans anew for each shape: 36 ms a step, seen on an H200.
        torch.backends.cuda.enable_cudnn_sdp(False)

    def load(self) -> None:
        """Weights, cache, graphs. OutsideFailed: weights or memory are missing."""
        if self._runner is not None:
            return
        begin = perf_counter()
        if self._float8 and (reason := why_not_float8()):
            raise OutsideFailed(f"The KV cache cannot be float8: {reason}.", code="no_gpu")
        checkpoint = find_checkpoint(self._model)
        rehearsal = self._rehearse(checkpoint) if self._device != "cpu" else None
        try:
            loaded = load_model(checkpoint, self._device, self._dtype)
        finally:
            if rehearsal is not None:
                rehearsal.finish()
        self.adopt(loaded)
        self._load_seconds = perf_counter() - begin

    def adopt(self, loaded: LoadedModel) -> None:
        """Take over a model that is in memory already. It cannot generate by itself afterwards.

        OutsideFailed: the model is of a kind that this runtime does not know, or memory is missing.
        """
        if reason := why_not_this(loaded.model.config):
            raise OutsideFailed(
                f"{loaded.checkpoint.path.name} does not run natively: {reason}. "
                "The transformers runtime reads it.",
                code="not_native",
            )
        try:
            self._runner = self._build(loaded)
            assert self._sizes is not None
            family, most = loaded.checkpoint.family, self._sizes.max_tokens
            self._runner.warm_up(_plain_page(family, most))
        except (RuntimeError, MemoryError) as error:
            self._runner = None
            if not ran_out(error):
                raise
            raise no_memory(str(error)) from error
        self._loaded = loaded
        self.capacity = self._runner.scheduler.capacity()

    def run(self, feed: RequestFeed, progress: Callable[[], None]) -> Iterator[Outcome]:
        """Yield each page as it ends; new ones join whenever there is room."""
        runner = self._runner
        if runner is None:
            raise OutsideFailed("The model is not loaded.", code="not_loaded")
        told = -1
        while True:
            capacity = runner.scheduler.capacity()
            if capacity != told:
                feed.set_capacity(capacity)
                told = capacity
            room = capacity - runner.scheduler.held
            requests: list[Request] = []
            if runner.idle:
                requests = feed.take(room)
                if not requests:
                    return
            elif room > 0:
                requests = feed.take(room, 0)
            for request in requests:
                try:
                    runner.add(self._text(request))
                except PageFailed as error:
                    yield request.key, error
            yield from self._turn(runner)
            progress()

    def close(self) -> None:
        """Free the model and the cache."""
        self._runner = self._loaded = None
        if self._device != "cpu" and not self._memory.trouble:
            torch.cuda.empty_cache()

    def details(self) -> Mapping[str, Any]:
        """For health: what runs, with how much room."""
        loaded, sizes, runner = self._loaded, self._sizes, self._runner
        if loaded is None or sizes is None or runner is None:
            return {"device": self._device, "dtype": self._dtype}
        return {
            "model": loaded.checkpoint.family.name,
            "device": _device_name(loaded.device),
            "dtype": self._dtype,
            "kv_dtype": "float8" if self._float8 else self._dtype,
            "kv_tokens": sizes.blocks * sizes.block_tokens,
            "pages_at_once": sizes.slots,
            "longest_stall_ms": round(runner.longest_stall_ms),
            "load_seconds": round(self._load_seconds, 1),
        }

    def trouble(self) -> str:
        """That the GPU has failed: nothing works in this process any more."""
        return self._memory.trouble

    def ids_of(self, *tokens: str) -> tuple[int, ...]:
        """The ids of those tokens that the tokenizer has."""
        return () if self._loaded is None else self._loaded.ids_of(*tokens)

    def _build(self, loaded: LoadedModel) -> Runner:
        max_tokens = min(loaded.max_length, MOST_TOKENS)
        with torch.inference_mode():
            weights = take_text_weights(loaded.model, max_tokens)
            operations = self._operations()
            kv_type = torch.float8_e4m3fn if self._float8 else loaded.dtype
            if self._sizes is None:
                free = free_bytes(loaded.device)
                self._sizes = self._sizes_for(free, weights.kv_elements_per_token, max_tokens)
                if self._sizes is None:
                    raise no_memory(f"{free >> 20} MiB are free beside the weights")
            vision = Vision(loaded.model, operations, 6 * self._sizes.chunk_pages)
            views = self._views(loaded)
            return Runner(weights, vision, views, self._sizes, operations, loaded.eos_ids, kv_type)

    def _rehearse(self, checkpoint: Checkpoint) -> "Rehearsal | None":
        """Have the kernels compiled meanwhile; None where they are, or the model will not run."""
        config_class, _ = model_classes(str(checkpoint.native_config()["model_type"]))
        config = config_class.from_dict(checkpoint.native_config())
        if why_not_this(config):
            return None  # `adopt` says so
        from engines.deepseek.native.rehearsal import (  # noqa: PLC0415 - needs Triton
            Rehearsal,
            stamp_of,
        )

        device, dtype = torch.device(self._device), getattr(torch, self._dtype)
        text = config.text_config
        max_tokens = min(int(text.max_position_embeddings), MOST_TOKENS)
        elements = 2 * text.num_hidden_layers * text.num_attention_heads * text.head_dim
        weights = sum(file.stat().st_size for file in checkpoint.path.glob("*.safetensors"))
        left = free_bytes(device) - weights
        sizes = self._sizes_for(left, elements, max_tokens)
        if sizes is None or left < REHEARSAL_BYTES:
            return None  # the weights come first
        plan = _plain_page(checkpoint.family, sizes.max_tokens)
        kinds = (self._dtype, self._float8, _device_name(device))
        stamp = stamp_of(checkpoint, sizes, kinds)
        if stamp.exists():
            return None  # Triton's cache has all
        return Rehearsal(checkpoint, plan, sizes, device, dtype, float8=self._float8, stamp=stamp)

    def _sizes_for(self, free: int, kv_elements_per_token: int, max_tokens: int) -> Sizes | None:
        if self._sizes is not None:
            return self._sizes
        kv_bytes = 1 if self._float8 else getattr(torch, self._dtype).itemsize
        block = BLOCK_TOKENS_FLOAT8 if self._float8 else BLOCK_TOKENS
        return sizes_for(free, kv_elements_per_token * kv_bytes, max_tokens, block)

    def _operations(self) -> Operations:
        if self._device == "cpu":
            return TorchOperations()
        from engines.deepseek.native.operations_triton import TritonOperations  # noqa: PLC0415

        return TritonOperations(float8=self._float8)

    def _views(self, loaded: LoadedModel) -> MakeViews:
        device, dtype = loaded.device, loaded.dtype
        if self._device == "cpu":

            def one_by_one(pixels: Sequence[Pixels], plans: Sequence[ImagePlan]) -> list[Views]:
                pages = zip(pixels, plans, strict=True)
                return [make_views(page, plan, device, dtype) for page, plan in pages]

            return one_by_one
        from engines.deepseek.native.views import GpuViews  # noqa: PLC0415 - needs Triton

        return GpuViews(device, dtype)

    def _text(self, request: Request) -> Text:
        """PageFailed: the prompt is not one, or the pixels are not as many as the page says."""
        loaded = self._loaded
        assert loaded is not None
        plan, ids = plan_prompt(request, loaded)
        if len(request.pixels) != plan.width * plan.height * 3:
            raise PageFailed("The page has fewer or more pixels than it says.", code="bad_page")
        return Text(
            Page(request.key, len(ids), request.max_tokens),
            ids,
            loaded.image_id,
            request.pixels,
            plan,
            request.ngram,
            request.ngram_window,
            request.ngram_free,
            random.getrandbits(31) if request.temperature else 0,
            request.temperature,
        )

    def _turn(self, runner: Runner) -> Iterator[Outcome]:
        failed = ""
        try:
            texts = runner.turn()
        except (RuntimeError, MemoryError) as error:
            failed, texts = self._memory.shortage(error), []
        if failed:  # the error is gone, and with it what its traceback held
            self._memory.free()
            if not runner.narrow():
                answer = no_memory(failed)
                yield from ((text.page.key, answer) for text in runner.drop_all())
        for text in texts:
            yield self._generation(text)

    def _generation(self, text: Text) -> Generation:
        loaded = self._loaded
        assert loaded is not None
        made = text.tokens[:-1] if text.finish == fields.STOPPED else text.tokens
        timings = {
            "waited": (text.started - text.added) * 1000,
            "read": (text.ended - text.started) * 1000,
        }
        reason = _REASONS[text.finish]
        return Generation(text.page.key, loaded.decode(made), len(text.tokens), reason, timings)


def _plain_page(family: Family, max_tokens: int) -> ImagePlan:
    """An A4 page at 100 dpi, tiled like most where there is room for that."""
    plan = plan_image(family, 827, 1169)
    return plan if plan.tokens < max_tokens else plan_image(family, 827, 1169, tiles=False)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
