"""SAM's attention: relative positions by row and by column, windows, without copies.

The decomposed bias of MViTv2 (Li et al., 2022) is made from the query by `relative` and added in
registers; transformers builds the whole [heads, N, N] of it.
"""

import triton
import triton.language as tl

_LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def relative(
    qkv, table, out, grid, heads,
    D: tl.constexpr, WINDOW: tl.constexpr, WINDOW_BLOCK: tl.constexpr,
    GRID_BLOCK: tl.constexpr, BY_ROW: tl.constexpr,
):  # fmt: skip
    """Out [B, G, G, heads, WINDOW]: each query times the table's vectors for its row or column.

    One program does one row of the image (or one column) of one head: its queries share the
    vectors, `table`[p - k + WINDOW - 1] for the place p in the window and each k of it.
    """
    lane = tl.program_id(0)
    image = (tl.program_id(1) // heads).to(tl.int64)
    head = tl.program_id(1) % heads
    across = tl.arange(0, GRID_BLOCK)
    known = across < grid
    if BY_ROW:
        place = (image * grid + lane) * grid + across
    else:
        place = (image * grid + across) * grid + lane
    channel = tl.arange(0, D)
    width = 3 * heads * D
    source = qkv + place[:, None] * width + head * D + channel[None, :]
    q = tl.load(source, mask=known[:, None], other=0.0)
    k = tl.arange(0, WINDOW_BLOCK)
    vector = lane % WINDOW - k + WINDOW - 1
    near = k < WINDOW
    t = tl.load(table + vector[:, None] * D + channel[None, :], mask=near[:, None], other=0.0)
    product = tl.dot(q, tl.trans(t), input_precision="ieee") * _LOG2E
    target = out + (place[:, None] * heads + head) * WINDOW + k[None, :]
    tl.store(target, product.to(out.dtype.element_ty), mask=known[:, None] & near[None, :])


@triton.jit
def attend(
    qkv, by_row, by_column, bias, out, grid, heads, windows, scale,
    D: tl.constexpr, WINDOW: tl.constexpr, WIDTH: tl.constexpr, LINES: tl.constexpr,
    ROWS: tl.constexpr, PADDED: tl.constexpr,
):  # fmt: skip
    """Out [B, G, G, heads * D]. A program does ROWS queries of one window and head.

    Keys go by LINES rows of the window at a time, each WIDTH wide (WINDOW, rounded up). Places of
    a window beyond the image have the projection's bias for key and value, as zeros have after it.
    """
    window = tl.program_id(1)
    image = (tl.program_id(2) // heads).to(tl.int64)
    head = tl.program_id(2) % heads
    top, left = window // windows * WINDOW, window % windows * WINDOW
    width = 3 * heads * D
    channel = tl.arange(0, D)

    m = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row, column = top + m // WINDOW, left + m % WINDOW
    known = (m < WINDOW * WINDOW) & (row < grid) & (column < grid)
    if tl.max(known.to(tl.int32), 0) > 0:  # windows at the edge have queries without a place
        place = (image * grid + row) * grid + column
        source = qkv + place[:, None] * width + head * D + channel[None, :]
        q = tl.load(source, mask=known[:, None], other=0.0)
        q = (q.to(tl.float32) * (scale * _LOG2E)).to(q.dtype)
        relative_at = (place * heads + head) * WINDOW

        n = tl.arange(0, LINES * WIDTH)
        line, across = n // WIDTH, n % WIDTH
        near = across < WINDOW
        b_column = tl.load(
            by_column + relative_at[:, None] + across[None, :],
            mask=known[:, None] & near[None, :],
            other=0.0,
        ).to(tl.float32)
        b_column = tl.where(near[None, :], b_column, -1e30)
        first_key = (image * grid + top + line) * grid + left + across
        keys = qkv + first_key[:, None] * width + (heads + head) * D + channel[None, :]
        in_columns = near & (left + across < grid)

        best = tl.full([ROWS], -1e29, tl.float32)
        total = tl.zeros([ROWS], tl.float32)
        weighted = tl.zeros([ROWS, D], tl.float32)
        for start in range(0, WINDOW, LINES):
            in_window = start + line < WINDOW
            if PADDED:
                in_image = in_columns & in_window & (top + start + line < grid)
            else:
                in_image = in_columns & in_window
            at = keys + start * grid * width
            k = tl.load(at, mask=in_image[:, None], other=0.0)
            v = tl.load(at + heads * D, mask=in_image[:, None], other=0.0)
            if PADDED:
                bias_at = bias + (heads + head) * D + channel
                k = tl.where(in_image[:, None], k, tl.load(bias_at)[None, :])
                v = tl.where(in_image[:, None], v, tl.load(bias_at + heads * D)[None, :])
            score = tl.dot(q, tl.trans(k), input_precision="ieee") + b_column
            b_row = tl.load(by_row + relative_at + start, mask=known, other=0.0).to(tl.float32)
            if LINES == 1:
                # One row of keys has one bias by row: it can wait until the row's maximum is known.
                new_best = tl.maximum(best, tl.max(score, 1) + b_row)
                share = tl.exp2(score + (b_row - new_best)[:, None])
            else:
                second = known & (start + 1 < WINDOW)
                b_next = tl.load(by_row + relative_at + start + 1, mask=second, other=0.0)
                b_next = tl.where(start + 1 < WINDOW, b_next.to(tl.float32), -1e30)
                score += tl.where((line == 0)[None, :], b_row[:, None], b_next[:, None])
                new_best = tl.maximum(best, tl.max(score, 1))
                share = tl.exp2(score - new_best[:, None])
            shrink = tl.exp2(best - new_best)
            total = total * shrink + tl.sum(share, 1)
            product = tl.dot(share.to(v.dtype), v, input_precision="ieee")
            weighted = weighted * shrink[:, None] + product
            best = new_best
        result = weighted / total[:, None]
        target = out + place[:, None] * (heads * D) + head * D + channel[None, :]
        tl.store(target, result.to(out.dtype.element_ty), mask=known[:, None])
