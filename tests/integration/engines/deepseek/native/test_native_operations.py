"""Each kernel, interpreted, agrees with its plain version; both with transformers."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engines.deepseek.checkpoint import find_checkpoint
from engines.deepseek.families import V1, V2, Family
from engines.deepseek.image_plan import plan_image
from engines.deepseek.loading import LoadedModel, load_model
from engines.deepseek.native import slots as field
from engines.deepseek.native import views
from engines.deepseek.native.decoder import Decoder
from engines.deepseek.native.kv_cache import KvCache
from engines.deepseek.native.operations_torch import Operations, TorchOperations
from engines.deepseek.native.operations_triton import TritonOperations
from engines.deepseek.native.sizes import Sizes
from engines.deepseek.native.slots import Slots, SlotState
from engines.deepseek.native.weights import Experts, take_text_weights
from engines.deepseek.pixels import make_views
from tests.fakes.native_pages import NATIVE

# With TRITON_INTERPRET=0 on a GPU the same tests are of the compiled kernels.
CPU = torch.device("cpu")
DEVICE = torch.device("cpu" if os.environ["TRITON_INTERPRET"] == "1" else "cuda")
PLAIN = TorchOperations()
KERNELS = TritonOperations()


@pytest.fixture(autouse=True)
def _on_device() -> Iterator[None]:
    with DEVICE:
        yield


def _close(a: Tensor, b: Tensor, most: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, rtol=most, atol=most)


@pytest.mark.parametrize("parts", [None, 1, 5])
def test_norms_and_gates(parts: int | None) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(5, 48), torch.randn(48)
    delta = None if parts is None else torch.randn(5, parts, 48).squeeze(1)
    ours, theirs = x.clone(), x.clone()
    _close(
        KERNELS.add_rms_norm(ours, delta, weight, 1e-6),
        PLAIN.add_rms_norm(theirs, delta, weight, 1e-6),
    )
    _close(ours, theirs)
    norm = nn.LayerNorm(48)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    if parts in (None, 1):
        _close(
            KERNELS.add_layer_norm(x.clone(), delta, norm),
            PLAIN.add_layer_norm(x.clone(), delta, norm),
        )
    _close(KERNELS.silu_mul(x), PLAIN.silu_mul(x))


def test_rotation_of_the_first_heads() -> None:
    torch.manual_seed(0)
    ours = torch.randn(2, 5, 5 * 16)
    theirs, halves = ours.clone(), (torch.randn(5, 8), torch.randn(5, 8))
    rope = tuple(torch.cat([half, half], 1) for half in halves)
    KERNELS.rotate(ours, rope, 3)
    PLAIN.rotate(theirs, rope, 3)
    _close(ours, theirs)


@pytest.mark.parametrize("tokens", [1, 3, 70])  # 70: two blocks of rows for the shared ones
def test_experts(tokens: int) -> None:
    torch.manual_seed(1)
    weights = Experts(
        torch.randn(6, 32), torch.randn(8, 32, 32) / 6, torch.randn(8, 32, 16) / 4, 3, 1.5
    )
    x = torch.randn(tokens, 32)
    # Expert by expert, in the order of the router's choice: shares of each token fall.
    _close(KERNELS.experts(x, weights), PLAIN.experts(x, weights), 1e-4)


def _state(lengths: Sequence[int]) -> tuple[Slots, Tensor]:
    """Slots 0, 1, .. with pages of so many tokens in scattered blocks of 16; rows in disorder."""
    sizes = Sizes(20, len(lengths), 40, 2, (len(lengths) + 1,), block_tokens=16)
    state = Slots(sizes, DEVICE)
    blocks = iter(
        torch.randperm(20, generator=torch.Generator().manual_seed(0), device=CPU).tolist()
    )
    pages = [
        SlotState(
            slot, length, 30, 3, 8, (7,), 1, 0.0, tuple(range(3, 9)),
            tuple(next(blocks) + 1 for _ in range(-(-(length + 1) // 16))),
        )
        for slot, length in enumerate(lengths)
    ]  # fmt: skip
    state.start(pages)
    order = [*range(1, len(lengths)), 0, state.padding]
    return state, torch.tensor(order, dtype=torch.int32)


@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize("splits", [1, 4])
def test_paged_attention(products: bool, splits: int) -> None:
    torch.manual_seed(2)
    state, rows = _state([1, 16, 37, 5])
    kernels = TritonOperations(products=products, splits=splits)
    caches = []
    outs = []
    qkv = torch.randn(len(rows), 3 * 2 * 16)
    cos, sin = torch.randn(64, 16), torch.randn(64, 16)
    cos, sin = (torch.cat([part[:, :8], part[:, :8]], 1) for part in (cos, sin))
    own = state.fields[rows.long(), field.POSITION]
    positions = None if splits == 1 else own.clone()  # both ways to say the same
    start = torch.randn(2, 21, 2, 16, 16)
    for operations in (kernels, PLAIN):
        cache = (start[0].clone(), start[1].clone())
        query, _, _ = operations.rotate_and_store(
            qkv.clone(), (cos, sin), cache, rows, state, positions
        )
        outs.append(operations.attend(query, cache, rows, state))
        caches.append(cache)
    for ours, theirs in zip(*caches, strict=True):
        _close(ours[1:], theirs[1:])  # block 0 is nobody's
    _close(*outs)
    assert not outs[0][-1].any(), "an idle row is 0"


def test_bans_and_choices() -> None:
    torch.manual_seed(3)
    history = [
        [5, 6, 7, 9, 5, 6],  # 7 is free
        [5, 6, 8, 9, 5, 6],  # 8 is banned
        [5, 6, 8, 1, 2, 3, 4, 9, 5, 6],  # outside the window of 8
        [1, 2],
        [4, 4, 4, 4, 4, 4],  # each of its own runs
    ]
    logits = torch.randn(len(history) + 1, 50)
    results = []
    for operations in (KERNELS, PLAIN):
        state, rows = _state([10 + len(h) for h in history])
        for slot, made in enumerate(history):
            state.history[slot, : len(made)] = torch.tensor(made)
            state.fields[slot, field.MADE] = len(made)
        state.fields[3, field.LIMIT] = 3
        scores = logits.clone()
        scores[0, 8] = 50.0  # row 0 is slot 1: the likeliest is banned
        scores[3, 13] = 60.0  # row 3 is slot 4
        operations.choose(scores, rows, state, torch.tensor([13], dtype=torch.int32))
        results.append((state, scores))
    (ours, our_scores), (theirs, their_scores) = results
    assert torch.equal(ours.fields, theirs.fields)
    assert torch.equal(ours.history, theirs.history)
    assert torch.equal(our_scores, their_scores)
    banned = [row.nonzero().flatten().tolist() for row in torch.isinf(our_scores)]
    assert banned == [[8], [], [], [4], [], []]
    assert ours.fields[4, field.FINISH] == field.STOPPED
    assert ours.fields[3, field.FINISH] == field.LIMITED
    assert ours.fields[:5, field.ACTIVE].tolist() == [1, 1, 1, 0, 0]


def test_draws_follow_the_temperature() -> None:
    logits = torch.log(torch.tensor([0.7, 0.2, 0.1, 1e-9])).repeat(150, 1)
    counts = []
    for operations in (KERNELS, PLAIN):
        state, _ = _state([4])
        fields = state.fields[:1].repeat(150, 1)
        fields[:, field.TEMPERATURE] = 1000
        fields[:, field.NGRAM] = 0
        fields[:, field.SEED] = torch.arange(150)
        state.fields, state.history = fields, state.history[:1].repeat(150, 1)
        rows = torch.arange(150, dtype=torch.int32)
        operations.choose(logits.clone(), rows, state, torch.tensor([99], dtype=torch.int32))
        counts.append(fields[:, field.TOKEN].bincount(minlength=4) / 150)
    for share in counts:
        torch.testing.assert_close(share, torch.tensor([0.7, 0.2, 0.1, 0.0]), atol=0.1, rtol=0)


@pytest.mark.parametrize(("grid", "window"), [(5, 0), (9, 3), (8, 3), (20, 0), (16, 14)])
def test_attention_of_sam(grid: int, window: int) -> None:
    torch.manual_seed(4)
    heads, width, size = 2, 16, window or grid
    qkv, bias = torch.randn(2, grid, grid, 3 * heads * width), torch.randn(3 * heads * width)
    tables = (torch.randn(2 * size - 1, width), torch.randn(2 * size - 1, width))
    arguments = (qkv, tables, bias, heads, window)
    _close(KERNELS.sam_attention(*arguments), PLAIN.sam_attention(*arguments), 2e-5)


@pytest.mark.parametrize(("family", "most_bytes"), [(V1, 1 << 20), (V2, 9_000)])  # V2: in groups
def test_views_of_pages_of_mixed_sizes_are_those_of_the_cpu(
    family: Family, most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_MOST_BYTES", most_bytes)
    plans = [
        plan_image(replace(family, tile=16), width, height, view=view, tiles=tiles)
        for width, height, view, tiles in (
            (30, 44, 24, True),
            (90, 36, 24, True),  # wide: tiles lie beside each other
            (20, 28, 40, False),  # enlarged
            (30, 44, 24, True),  # once more: it shares tables with the first
            (32, 24, 32, False),  # as large as its view: nothing moves
            (1, 50, 16, False),
            (49, 35, 24, True),  # A4 that lies: its tiles are made down first (Pillow 13)
            (3, 320, 16, False),
        )
    ]
    draw = np.random.default_rng(0)
    pixels = [draw.integers(0, 256, p.width * p.height * 3, np.uint8).tobytes() for p in plans]
    ours = views.GpuViews(DEVICE, torch.float32)(pixels, plans)
    assert len(ours) == len(plans)
    for page, plan, found in zip(pixels, plans, ours, strict=True):
        truth = make_views(page, plan, CPU, torch.float32)
        assert torch.equal(found.view.cpu(), truth.view)
        assert (found.tiles is None) == (truth.tiles is None)
        if found.tiles is not None:
            assert torch.equal(found.tiles.cpu(), truth.tiles)


@pytest.mark.parametrize("family", NATIVE)
@pytest.mark.parametrize("operations", [PLAIN, KERNELS], ids=["plain", "kernels"])
@torch.inference_mode()
def test_logits_are_those_of_transformers(
    models: dict[str, object], loaded: dict[str, LoadedModel], family: str, operations: Operations
) -> None:
    """To 1e-5 in float32: prompts of mixed lengths, then steps with a row of padding."""
    reference = loaded[family].model
    taken = load_model(find_checkpoint(str(models[family])), DEVICE.type, "float32")
    weights = take_text_weights(taken.model, 64)
    sizes = Sizes(20, 3, 64, 3, (4,), block_tokens=16)
    state = Slots(sizes, DEVICE)
    cache = KvCache(sizes, len(weights.layers), weights.heads, weights.head_dim, torch.float32)
    cache.allocate(DEVICE)
    decoder = Decoder(weights, cache, state, operations, taken.eos_ids)
    draw = torch.Generator().manual_seed(5)
    texts = [
        torch.randint(3, weights.vocabulary, (length,), generator=draw, device=CPU).tolist()
        for length in (20, 5, 33)
    ]
    blocks = iter(range(20, 0, -1))
    pages = [
        SlotState(slot, len(text), 20, 0, 0, (), 0, 0.0, (), tuple(next(blocks) for _ in range(3)))
        for slot, text in enumerate(texts)
    ]
    state.start(pages)
    logits = decoder.read_in(pages, [decoder.embed(text) for text in texts])
    rows = torch.tensor([0, 1, 2, 3], dtype=torch.int32)
    for _ in range(2):
        for slot, text in enumerate(texts):
            truth = reference(input_ids=torch.tensor([text], device=CPU)).logits[0, -1]
            _close(logits[slot].cpu() / truth.abs().max(), truth / truth.abs().max())
            assert int(state.fields[slot, field.TOKEN]) == int(truth.argmax())
            text.append(int(truth.argmax()))
        logits = decoder.step(rows)
