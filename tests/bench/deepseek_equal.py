"""Is the native runtime equal to transformers? The logits of every token, side by side.

    python -m tests.bench.deepseek_equal [--only fp32,bf16,float8,image,text] [--out DIR]
    TRITON_INTERPRET=1 python -m tests.bench.deepseek_equal --small      # on a CPU, kernels too

Both architectures with random weights, true size: pages of mixed sizes and lengths join and leave,
through the kernels, the paged cache and the recorded graphs. Beside each figure stands the one that
transformers has with itself: the last token over its cache, against the whole in one go. An error
is relative, in the Frobenius norm over the vocabulary, of one token. `text` reads pages with the
trained tiny model through both runtimes.
"""

import argparse
import copy
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.deepseek.checkpoint import Checkpoint
from engines.deepseek.families import V1, V2, Family, family_of
from engines.deepseek.loading import LoadedModel, model_classes
from engines.deepseek.native import scheduler
from engines.deepseek.native.block_pool import blocks_for
from engines.deepseek.native.native_runtime import NativeRuntime
from engines.deepseek.native.operations_torch import Operations
from engines.deepseek.native.operations_triton import TritonOperations
from engines.deepseek.native.sizes import BLOCK_TOKENS, Sizes, graph_sizes
from engines.deepseek.native.vision import Vision
from engines.deepseek.prompt import plan_prompt, prepare
from engines.deepseek.runtime import Generation, Request
from engines.deepseek.transformers_runtime import TransformersRuntime
from tests.bench.deepseek_full_size import LANGUAGE, ORIGINALS
from tests.bench.deepseek_native import Results
from tests.bench.deepseek_true_size import PlainTokenizer
from tests.bench.recorded_logits import Recorder
from tests.fakes.deepseek_models import make_config, redraw_weights
from tests.fakes.native_pages import StaggeredFeed
from tests.train.drawing import glyph_table
from tests.train.evaluate_tiny_ocr import read
from tests.train.glyphs import Painter
from tests.train.pages import make_page

KINDS = ("fp32", "bf16", "float8", "image", "text")
TINY = Path(__file__).resolve().parents[1] / "train" / "model"
SMALL_VOCABULARY = 300
# Width, height, whether it is cut into tiles, tokens: contexts of 150 to 1,200 tokens.
PAGES = (
    (1654, 2339, True, 40),
    (620, 877, False, 24),
    (1240, 1754, True, 5),
    (2339, 1654, True, 33),
    (300, 300, False, 1),
    (900, 400, True, 40),
    (1000, 1000, True, 17),
    (620, 877, False, 40),
    (1654, 2339, True, 9),
    (400, 900, False, 28),
    (1240, 1754, True, 40),
    (800, 600, False, 3),
)
SMALL_PAGES = (
    (60, 90, False, 24),
    (67, 87, False, 20),
    (74, 84, False, 24),
    (90, 60, False, 1),
    (81, 81, False, 5),
    (88, 78, False, 9),
)
MOST_TOKENS = 40


class KernelRuntime(NativeRuntime):
    """The kernels of the model on every device: interpreted on a CPU."""

    def _operations(self) -> Operations:
        stages = 1 if self._dtype == "float32" else 0  # shared memory: numbers are twice as wide
        return TritonOperations(float8=self._float8, stages=stages)


def make_model(family: Family, device: str, dtype: torch.dtype, *, small: bool) -> LoadedModel:
    """Random weights, the same for the same arguments. The end of sequence may come."""
    if small:
        native = make_config(family.name, SMALL_VOCABULARY)
        native["vision_config"]["encoder_config"] |= {"num_attention_heads": 3}  # 16 wide
    else:
        config = {"architectures": [ORIGINALS[family.name]], "language_config": LANGUAGE}
        native = Checkpoint(Path("random"), family, config).native_config()
        assert family_of(config) is family
    config_class, model_class = model_classes(str(native["model_type"]))
    torch.manual_seed(0)
    with torch.device(device), torch.no_grad():
        model = model_class._from_config(config_class.from_dict(native), dtype=dtype).eval()
    redraw_weights(model)
    checkpoint = Checkpoint(Path("random"), family, {})
    tokenizer = PlainTokenizer(100 if small else 1000)
    return LoadedModel(checkpoint, model, tokenizer, torch.device(device), dtype)


def make_pages(family: Family, *, small: bool) -> list[Request]:
    """Pages of noise; `ngram_window` numbers them, and bans nothing."""
    pages = []
    for number, (width, height, tiles, tokens) in enumerate(SMALL_PAGES if small else PAGES):
        noise = np.random.default_rng(number).integers(0, 256, width * height * 3, np.uint8)
        view = 1024 if tiles else family.views[number % 2]
        prompt = "<image>\n" + "Free OCR. " * (number % 5)
        values: dict[str, Any] = {"view": view, "tiles": tiles, "max_tokens": tokens, "ngram": 1}
        pages.append(
            Request(
                str(number), noise.tobytes(), width, height, prompt, ngram_window=number, **values
            )
        )
    return pages


def run_native(
    loaded: LoadedModel, pages: Sequence[Request], room: Sizes, *, float8: bool = False
) -> tuple[list[Tensor], Recorder]:
    """The logits [tokens, V] of each page, and what else was recorded. `loaded` is used up."""
    vocabulary = int(loaded.model.config.text_config.vocab_size)
    recorder = Recorder(len(pages), MOST_TOKENS, vocabulary, loaded.device)
    dtype = str(loaded.dtype).removeprefix("torch.")
    runtime = KernelRuntime(
        "random", device=loaded.device.type, dtype=dtype, float8_kv=float8, sizes=room
    )
    with recorder.installed():
        runtime.adopt(loaded)
    found: dict[str, int] = {}
    for outcome in runtime.run(StaggeredFeed(pages, 3), lambda: None):
        assert isinstance(outcome, Generation), outcome
        found[outcome.key] = outcome.tokens
    runtime.close()
    return [recorder.logits[page, : found[str(page)]] for page in range(len(pages))], recorder


@torch.inference_mode()
def of_transformers(
    loaded: LoadedModel, page: Request, tokens: Sequence[int], *, cached: bool
) -> Tensor:
    """The logits [tokens, V] that precede each of `tokens`, in one go or one by one."""
    prepared = prepare(page, loaded)
    inputs = image_inputs(loaded, prepared)
    device, model = loaded.device, loaded.model
    if not cached:
        ids = torch.tensor([[*prepared.ids, *tokens[:-1]]], device=device)
        answer = model(input_ids=ids, logits_to_keep=len(tokens), **inputs)
        whole: Tensor = answer.logits[0].float()
        return whole
    ids, cache, rows = torch.tensor([prepared.ids], device=device), None, []
    for token in tokens:
        answer = model(input_ids=ids, cache=cache, use_cache=True, logits_to_keep=1, **inputs)
        rows.append(answer.logits[0, -1].float())
        cache, ids, inputs = answer.cache, torch.tensor([[token]], device=device), {}
    return torch.stack(rows)


def image_inputs(loaded: LoadedModel, prepared: Any) -> dict[str, Any]:
    """What the model's forward takes of the views."""
    plan, views = prepared.plan, prepared.views
    inputs: dict[str, Any] = {"pixel_values": views.view[None]}
    if views.tiles is not None:
        inputs |= {"pixel_values_local": views.tiles, "num_local_patches": [plan.tiles]}
    if loaded.checkpoint.family.newline_tokens:
        inputs["patches_grid"] = [[plan.columns or 1, plan.rows or 1]]
    return inputs


def errors(ours: Tensor, truth: Tensor) -> Tensor:
    """Relative error of each row."""
    return (ours - truth).norm(dim=-1) / truth.norm(dim=-1)


def compare(
    results: Results, family: Family, kind: str, device: str, *, small: bool, tight: bool
) -> None:
    """One line: ours against transformers, and transformers against itself."""
    dtype = torch.float32 if kind == "fp32" or small else torch.bfloat16
    pages = make_pages(family, small=small)
    loaded = make_model(family, device, dtype, small=small)
    room = room_for([len(plan_prompt(page, loaded)[1]) for page in pages], tight=tight)
    logits, recorder = run_native(loaded, pages, room, float8=kind == "float8")
    del loaded
    reference = make_model(family, device, dtype, small=small)
    ours, theirs, same = [], [], 0
    for page, made in zip(pages, logits, strict=True):
        tokens = made.argmax(-1).tolist()
        truth = of_transformers(reference, page, tokens, cached=False)
        ours.append(errors(made, truth))
        theirs.append(errors(of_transformers(reference, page, tokens, cached=True), truth))
        same += int((truth.argmax(-1) == made.argmax(-1)).sum())
    mine, own = torch.cat(ours), torch.cat(theirs)
    results.add(
        f"{family.name} {kind}{', little room' if tight else ''}",
        tokens=len(mine),
        same_tokens=same,
        ours_median=_figure(mine.median()),
        ours_most=_figure(mine.max()),
        transformers_median=_figure(own.median()),
        transformers_most=_figure(own.max()),
        batches=sorted(recorder.graphs),
        sent_back=recorder.preempted,
        block_tokens=room.block_tokens,
    )


def room_for(contexts: Sequence[int], *, tight: bool) -> Sizes:
    """Room for all pages at once; or for so few that they wait, join, and are sent back."""
    most = max(contexts) + MOST_TOKENS
    block = 16 if tight else BLOCK_TOKENS
    slots = len(contexts) // 2 if tight else len(contexts)
    blocks = sum(blocks_for(context + (1 if tight else MOST_TOKENS), block) for context in contexts)
    if tight:  # what the first ones read in, and hardly more
        first = sum(blocks_for(context + 1, block) for context in contexts[:slots])
        blocks = max(blocks_for(most, block), first + 1)
    return Sizes(blocks, slots, most, min(4, slots), graph_sizes(slots), block)


@torch.inference_mode()
def compare_images(results: Results, family: Family, device: str, *, small: bool) -> None:
    """The image tokens of a page in bf16 against those in float32, ours and transformers'."""
    dtype = torch.float32 if small else torch.bfloat16
    loaded = make_model(family, device, dtype, small=small)
    page = make_pages(family, small=small)[0]
    prepared = prepare(page, loaded)
    inputs = image_inputs(loaded, prepared)
    wide = copy.deepcopy(loaded.model).float()
    wider = {
        name: value.float() if isinstance(value, Tensor) else value
        for name, value in inputs.items()
    }
    truth = wide.get_image_features(**wider, return_dict=True).pooler_output[0].flatten()
    del wide
    theirs = loaded.model.get_image_features(**inputs, return_dict=True).pooler_output[0].flatten()
    vision = Vision(loaded.model, TritonOperations(), 6)
    ours = vision.encode([prepared.views], [prepared.plan])[0].flatten()
    results.add(
        f"{family.name} image tokens",
        ours=_figure(errors(ours.float(), truth)),
        transformers=_figure(errors(theirs.float(), truth)),
    )


def compare_text(results: Results, device: str, pages: int) -> None:
    """Texts of the trained tiny model, through transformers and natively."""
    draw = random.Random(20_261_124)
    drawn = [make_page(draw) for _ in range(pages)]
    painter = Painter(glyph_table(), torch.device("cpu"))
    room = Sizes(40 * pages, pages, 800, 4, graph_sizes(pages), 16)
    options = {"device": device, "dtype": "float32"}
    said = []
    for runtime in (
        TransformersRuntime(
            str(TINY), device="gpu" if device == "cuda" else device, dtype="fp32", batch=pages
        ),
        NativeRuntime(str(TINY), sizes=room, **options),
    ):
        runtime.load()
        said.append(read(runtime, drawn, painter, "grounded", 300))
        runtime.close()
    same = sum(
        (a.text, a.tokens, a.finish_reason) == (b.text, b.tokens, b.finish_reason)
        for a, b in zip(*said, strict=True)
    )
    results.add(
        "tiny checkpoint", pages=pages, same_texts=same, tokens=sum(g.tokens for g in said[0])
    )


def _figure(value: Tensor) -> float:
    return float(f"{float(value):.3g}")


def main() -> None:
    """Compare what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--families", default="deepseek-ocr-2,deepseek-ocr")
    parser.add_argument("--small", action="store_true", help="little models, for a CPU")
    parser.add_argument("--out", type=Path, default=Path("tests/bench/out"))
    arguments = parser.parse_args()
    results = Results(arguments.out, "equal.jsonl")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Of float32 nothing is asked less than float32; and 36 ms a step are not needed here either.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.enable_cudnn_sdp(False)
    scheduler.GROWTH_SHARE = 0.0  # let in whoever fits at this moment: pages are sent back
    families = [family for family in (V2, V1) if family.name in arguments.families.split(",")]
    for kind in arguments.only.split(","):
        for family in families:
            if kind == "image":
                compare_images(results, family, device, small=arguments.small)
            elif kind != "text":
                for tight in (False, True) if kind == "fp32" else (False,):
                    compare(results, family, kind, device, small=arguments.small, tight=tight)
        if kind == "text":
            compare_text(results, device, 3 if arguments.small else 24)


if __name__ == "__main__":
    main()
