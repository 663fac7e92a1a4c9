"""A mixture of experts as three kernels: route and count, sort, two grouped products."""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["tokens"])
def route(
    x, router, expert, share, rank, counts, tokens, scale,
    C: tl.constexpr, ROUTED: tl.constexpr, ROUTED_BLOCK: tl.constexpr,
    TOP: tl.constexpr, SHARED: tl.constexpr, ROWS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """For ROWS tokens: the TOP likeliest of the routed experts and all shared ones.

    Writes for each of a token's TOP + SHARED places the `expert`, its `share`, and the `rank` of
    the place among all that go to this expert; `counts` must be 0 before. Ranks come in no fixed
    order, which only moves rows within a product.
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    known = row < tokens
    candidate = tl.arange(0, ROUTED_BLOCK)
    logits = tl.zeros([ROWS, ROUTED_BLOCK], tl.float32)
    for start in range(0, C, DEPTH):
        at = start + tl.arange(0, DEPTH)
        a = tl.load(x + row[:, None].to(tl.int64) * C + at[None, :], mask=known[:, None], other=0.0)
        b = tl.load(
            router + candidate[:, None] * C + at[None, :],
            mask=(candidate < ROUTED)[:, None],
            other=0.0,
        )
        logits = tl.dot(a, tl.trans(b), logits, input_precision="ieee")
    logits = tl.where((candidate < ROUTED)[None, :], logits, -1e30)
    score = tl.exp(logits - tl.max(logits, 1)[:, None])
    score = score / tl.sum(score, 1)[:, None]
    place = row * (TOP + SHARED)
    for k in tl.static_range(TOP):
        best = tl.argmax(score, 1)
        tl.store(expert + place + k, best, mask=known)
        tl.store(share + place + k, tl.max(score, 1) * scale, mask=known)
        order = tl.atomic_add(counts + best, 1, mask=known, sem="relaxed")
        tl.store(rank + place + k, order, mask=known)
        score = tl.where(candidate[None, :] == best[:, None], -1.0, score)
    for k in tl.static_range(SHARED):
        tl.store(expert + place + TOP + k, ROUTED + k + row * 0, mask=known)
        tl.store(share + place + TOP + k, 1.0 + row * 0.0, mask=known)
        tl.store(rank + place + TOP + k, row, mask=known)  # every token goes there: its own number
        tl.store(counts + ROUTED + k + row * 0, tokens + row * 0, mask=known)


@triton.jit(do_not_specialize=["places"])
def sort_places(
    expert, rank, counts, sorted_places, places,
    EXPERTS: tl.constexpr, EXPERTS_BLOCK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write each place's number where its expert's rows begin, plus its rank."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    known = place < places
    each = tl.arange(0, EXPERTS_BLOCK)
    count = tl.load(counts + each, mask=each < EXPERTS, other=0)
    mine = tl.load(expert + place, mask=known, other=0)
    before = tl.sum(tl.where(each[None, :] < mine[:, None], count[None, :], 0), 1)
    tl.store(sorted_places + before + tl.load(rank + place, mask=known, other=0), place, mask=known)


@triton.jit
def _rows_of_block(
    counts, index, EXPERTS: tl.constexpr, EXPERTS_BLOCK: tl.constexpr, ROWS: tl.constexpr
):
    """The expert that the `index`th block of ROWS rows belongs to, the first of its rows in sorted
    order, and how many it has from there on (0 or less: no such block).
    """
    each = tl.arange(0, EXPERTS_BLOCK)
    count = tl.load(counts + each, mask=each < EXPERTS, other=0)
    blocks = (count + ROWS - 1) // ROWS
    ends = tl.cumsum(blocks, 0)
    expert = tl.sum((ends <= index).to(tl.int32), 0)
    earlier = each < expert
    inside = index - tl.sum(tl.where(earlier, blocks, 0), 0)
    start = tl.sum(tl.where(earlier, count, 0), 0) + inside * ROWS
    left = tl.sum(tl.where(each == expert, count, 0), 0) - inside * ROWS
    return expert, start, left


@triton.jit
def gate_up(
    x, weights, counts, sorted_places, out,
    C: tl.constexpr, WIDTH: tl.constexpr, PER_TOKEN: tl.constexpr,
    EXPERTS: tl.constexpr, EXPERTS_BLOCK: tl.constexpr,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Out [places, WIDTH], in sorted order, = silu(x G) * (x U) with the expert's G and U.

    `weights` [EXPERTS, 2 * WIDTH, C], gate first. A program does ROWS places by COLS columns.
    """
    expert, start, left = _rows_of_block(counts, tl.program_id(1), EXPERTS, EXPERTS_BLOCK, ROWS)
    if left > 0:
        line = tl.arange(0, ROWS)
        known = line < left
        place = tl.load(sorted_places + start + line, mask=known, other=0)
        token = (place // PER_TOKEN).to(tl.int64)
        col = tl.program_id(0) * COLS + tl.arange(0, COLS)
        depth = tl.arange(0, DEPTH)
        rows_at = x + token[:, None] * C + depth[None, :]
        gates_at = weights + (expert.to(tl.int64) * 2 * WIDTH + col[:, None]) * C + depth[None, :]
        gate = tl.zeros([ROWS, COLS], tl.float32)
        up = tl.zeros([ROWS, COLS], tl.float32)
        for at in range(0, C, DEPTH):
            a = tl.load(rows_at + at, mask=known[:, None], other=0.0)
            g = tl.load(gates_at + at)
            u = tl.load(gates_at + WIDTH * C + at)
            gate = tl.dot(a, tl.trans(g), gate, input_precision="ieee")
            up = tl.dot(a, tl.trans(u), up, input_precision="ieee")
        result = gate * tl.sigmoid(gate) * up
        target = out + (start + line).to(tl.int64)[:, None] * WIDTH + col[None, :]
        tl.store(target, result.to(out.dtype.element_ty), mask=known[:, None])


@triton.jit
def down(
    inner, weights, counts, sorted_places, share, out,
    C: tl.constexpr, WIDTH: tl.constexpr,
    EXPERTS: tl.constexpr, EXPERTS_BLOCK: tl.constexpr,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Out [places, C], in the tokens' order, = share * (inner D) with the expert's D [C, WIDTH]."""
    expert, start, left = _rows_of_block(counts, tl.program_id(1), EXPERTS, EXPERTS_BLOCK, ROWS)
    if left > 0:
        line = tl.arange(0, ROWS)
        known = line < left
        col = tl.program_id(0) * COLS + tl.arange(0, COLS)
        depth = tl.arange(0, DEPTH)
        rows_at = inner + (start + line).to(tl.int64)[:, None] * WIDTH + depth[None, :]
        weights_at = weights + (expert.to(tl.int64) * C + col[:, None]) * WIDTH + depth[None, :]
        total = tl.zeros([ROWS, COLS], tl.float32)
        for at in range(0, WIDTH, DEPTH):
            a = tl.load(rows_at + at, mask=known[:, None], other=0.0)
            b = tl.load(weights_at + at)
            total = tl.dot(a, tl.trans(b), total, input_precision="ieee")
        place = tl.load(sorted_places + start + line, mask=known, other=0)
        total *= tl.load(share + place, mask=known, other=0.0)[:, None]
        target = out + place.to(tl.int64)[:, None] * C + col[None, :]
        tl.store(target, total.to(out.dtype.element_ty), mask=known[:, None])
