"""A page's views: Pillow's bicubic resize in whole numbers, then cut, padded and normalised.

Sizes of pages are not compiled in: each page would wait for a compiler.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["size", "last", "columns"])
def resize(
    source, first, weights, out, size, last, columns,
    TAPS: tl.constexpr, ACROSS: tl.constexpr, BITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One pass of a resize over uint8 [rows, columns, 3]: ACROSS to `size` columns, else down to
    `size` rows. `weights` [TAPS, size] int32 with BITS of fraction; `first` [size] the first source
    pixel of each; `last` the last there is. One program does a part of one row of the result.
    """
    row = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total = tl.full([BLOCK], 1 << (BITS - 1), tl.int32)  # half, to round
    if ACROSS:
        mask = at < size * 3
        pixel, channel = at // 3, at % 3
        begin = tl.load(first + pixel, mask=mask, other=0)
        for tap in range(TAPS):
            weight = tl.load(weights + tap * size + pixel, mask=mask, other=0)
            place = tl.minimum(begin + tap, last) * 3 + channel
            value = tl.load(source + row * columns * 3 + place, mask=mask, other=0)
            total += value.to(tl.int32) * weight
        target = out + row * size * 3 + at
    else:
        mask = at < columns * 3
        begin = tl.load(first + row)
        for tap in range(TAPS):
            weight = tl.load(weights + tap * size + row)
            place = tl.minimum(begin + tap, last) * columns * 3
            value = tl.load(source + place + at, mask=mask, other=0)
            total += value.to(tl.int32) * weight
        target = out + row * columns * 3 + at
    level = tl.minimum(tl.maximum(total >> BITS, 0), 255)
    tl.store(target, level.to(tl.uint8), mask=mask)


@triton.jit(do_not_specialize=["rows", "columns", "top", "left"])
def place(
    source, levels, out, rows, columns, top, left, side, across,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Out [tiles, 3, side, side] from uint8 [rows, columns, 3], each level as `levels` [256] says.

    Tile n begins at row n // across * side - top and column n % across * side - left of the source;
    what lies outside is level 127. One program does one row of one tile.
    """
    tile, y = tl.program_id(1), tl.program_id(0)
    x = tl.arange(0, BLOCK)
    inside = x < side
    row = tile // across * side + y - top + x * 0
    column = tile % across * side + x - left
    known = inside & (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    for channel in tl.static_range(3):
        at = source + (row * columns + column) * 3 + channel
        level = tl.load(at, mask=known, other=127).to(tl.int32)
        target = out + ((tile * 3 + channel) * side + y).to(tl.int64) * side + x
        tl.store(target, tl.load(levels + level, mask=inside, other=0.0), mask=inside)
