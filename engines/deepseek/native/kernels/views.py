"""The views of several pages: Pillow's bicubic resize in whole numbers, then cut and normalised.

One launch does a step of all pages, whatever their sizes: a table says what each of them is. Sizes
are not compiled in, or each page would wait for a compiler.
"""

import triton
import triton.language as tl

# Columns of a table of resizes [n, RESIZE_COLUMNS] int64: where the source, the result, the first
# source pixels and the weights begin; rows and columns of the result; columns of the source; the
# last source pixel along the axis; how many weights make a pixel.
RESIZE_COLUMNS = 9
# Columns of a table of images [n, PLACE_COLUMNS] int64: where the source and the image begin; rows
# and columns of the source; the place of the image's first pixel in it; the image's side.
PLACE_COLUMNS = 7
_RESIZE_COLUMNS = tl.constexpr(RESIZE_COLUMNS)
_PLACE_COLUMNS = tl.constexpr(PLACE_COLUMNS)


@triton.jit
def resize(
    source, taps, resizes, out,
    ACROSS: tl.constexpr, BITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One pass, ACROSS or down, of all `resizes` over bytes: pixels of 3, row after row.

    `taps` int32 has for each pass the first source pixel of each pixel along the axis, and weights
    [taps, pixels] with BITS of fraction. A program does a part of one row of one result; there are
    as many as the largest result needs.
    """
    job = resizes + tl.program_id(2) * _RESIZE_COLUMNS
    rows, columns = tl.load(job + 4), tl.load(job + 5).to(tl.int32)
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < columns * 3
    if (row < rows) & (tl.program_id(1) * BLOCK < columns * 3):
        begin, weights = taps + tl.load(job + 2), taps + tl.load(job + 3)
        before, count = tl.load(job + 6), tl.load(job + 8).to(tl.int32)
        last = tl.load(job + 7).to(tl.int32)
        pixels = source + tl.load(job)
        total = tl.full([BLOCK], 1 << (BITS - 1), tl.int32)  # half, to round
        if ACROSS:
            pixel, channel = at // 3, at % 3
            first = tl.load(begin + pixel, mask=mask, other=0)
            line = pixels + row * before * 3 + channel
            for tap in range(count):
                weight = tl.load(weights + tap * columns + pixel, mask=mask, other=0)
                value = tl.load(line + tl.minimum(first + tap, last) * 3, mask=mask, other=0)
                total += value.to(tl.int32) * weight
        else:
            first = tl.load(begin + row)
            for tap in range(count):
                weight = tl.load(weights + tap * rows + row)
                line = pixels + tl.minimum(first + tap, last) * before * 3
                total += tl.load(line + at, mask=mask, other=0).to(tl.int32) * weight
        level = tl.minimum(tl.maximum(total >> BITS, 0), 255)
        tl.store(out + tl.load(job + 1) + row * columns * 3 + at, level.to(tl.uint8), mask=mask)


@triton.jit
def place(source, levels, places, out, BLOCK: tl.constexpr):
    """Out, images [3, side, side] one after the other, from the bytes of resized pages.

    Each level becomes what `levels` [256] says; what lies outside of the source is level 127. One
    program does one row of one image; there are as many as the largest needs.
    """
    image = places + tl.program_id(1) * _PLACE_COLUMNS
    side = tl.load(image + 6)
    y = tl.program_id(0)
    if y < side:
        rows, columns = tl.load(image + 2), tl.load(image + 3)
        x = tl.arange(0, BLOCK)
        inside = x < side
        row, column = tl.load(image + 4) + y + x * 0, tl.load(image + 5) + x
        known = inside & (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        first = source + tl.load(image) + (row * columns + column) * 3
        target = out + tl.load(image + 1) + y * side + x
        for channel in tl.static_range(3):
            level = tl.load(first + channel, mask=known, other=127).to(tl.int32)
            level = tl.load(levels + level, mask=inside, other=0.0)
            tl.store(target + channel * side * side, level, mask=inside)
