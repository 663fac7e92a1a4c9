"""One step's attention over the paged cache."""

import triton
import triton.language as tl

from engines.deepseek.native import slots as field

_COLUMNS = tl.constexpr(field.COLUMNS)
_POSITION = tl.constexpr(field.POSITION)
_ACTIVE = tl.constexpr(field.ACTIVE)
_LOG2E = tl.constexpr(1.4426950408889634)  # exp(x) is exp2(x * log2(e)), and exp2 is what there is


@triton.jit
def _rotate(at, c, s, mask, HALF: tl.constexpr):
    """Rotate vectors in place: their halves are the two coordinates. Returns the new ones."""
    first = tl.load(at, mask=mask, other=0.0).to(tl.float32)
    second = tl.load(at + HALF, mask=mask, other=0.0).to(tl.float32)
    turned, other = first * c - second * s, second * c + first * s
    tl.store(at, turned.to(at.dtype.element_ty), mask=mask)
    tl.store(at + HALF, other.to(at.dtype.element_ty), mask=mask)
    return turned, other


@triton.jit
def rotate(
    qkv, cos, sin, length, row_width,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, D: tl.constexpr,
):  # fmt: skip
    """Rotate the first HEADS vectors of each row of `qkv` in place; a row's position is its number
    modulo `length`. One program a row.
    """
    row = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, HEADS_BLOCK)
    half = tl.arange(0, D // 2)
    turn = (row % length) * D + half
    c = tl.load(cos + turn).to(tl.float32)[None, :]
    s = tl.load(sin + turn).to(tl.float32)[None, :]
    at = qkv + row * row_width + head[:, None] * D + half[None, :]
    _rotate(at, c, s, (head < HEADS)[:, None], D // 2)


@triton.jit
def rotate_and_store(
    qkv, cos, sin, rows, positions, fields, tables, keys, values, table_width,
    H: tl.constexpr, HEADS_BLOCK: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr,
    STEP: tl.constexpr,
):  # fmt: skip
    """Rotate query and key of each row of `qkv` in place, and store key and value in the cache.

    A row belongs to the slot in `rows`; its position is the page's in a STEP, else `positions`.
    """
    row = tl.program_id(0).to(tl.int64)
    slot = tl.load(rows + row).to(tl.int64)
    position = tl.load(fields + slot * _COLUMNS + _POSITION) if STEP else tl.load(positions + row)
    active = tl.load(fields + slot * _COLUMNS + _ACTIVE)
    block = tl.load(tables + slot * table_width + position // BLOCK) * active  # 0: nobody's
    head = tl.arange(0, HEADS_BLOCK)
    mask = (head < H)[:, None]
    half = tl.arange(0, D // 2)
    c = tl.load(cos + position * D + half).to(tl.float32)[None, :]
    s = tl.load(sin + position * D + half).to(tl.float32)[None, :]
    source = qkv + row * 3 * H * D + head[:, None] * D
    _rotate(source + half[None, :], c, s, mask, D // 2)
    first, second = _rotate(source + H * D + half[None, :], c, s, mask, D // 2)
    place = ((block.to(tl.int64) * H + head[:, None]) * BLOCK + position % BLOCK) * D
    at = keys + place + half[None, :]
    tl.store(at, first.to(keys.dtype.element_ty), mask=mask)
    tl.store(at + D // 2, second.to(keys.dtype.element_ty), mask=mask)
    whole = tl.arange(0, D)[None, :]
    value = tl.load(source + 2 * H * D + whole, mask=mask, other=0.0).to(tl.float32)
    tl.store(values + place + whole, value.to(values.dtype.element_ty), mask=mask)


@triton.jit
def attend(
    query, keys, values, rows, fields, tables, out, part_out, part_max, part_sum,
    scale, query_width, table_width,
    H: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """One program for each row, head and share of the page's blocks; softmax as it goes.

    Each head has keys of its own, so there is one query to a block of keys: products are sums over
    lanes, bound by the bytes of the cache. With SPLITS > 1 `combine` joins the shares.
    """
    pair = tl.program_id(0).to(tl.int64)
    split = tl.program_id(1)
    head = pair % H
    slot = tl.load(rows + pair // H).to(tl.int64)
    active = tl.load(fields + slot * _COLUMNS + _ACTIVE)
    length = (tl.load(fields + slot * _COLUMNS + _POSITION) + 1) * active  # 0: nothing is read
    blocks = tl.cdiv(length, BLOCK)
    share = tl.cdiv(blocks, SPLITS)
    first = split * share
    last = tl.minimum(first + share, blocks)

    channel = tl.arange(0, D)
    token = tl.arange(0, BLOCK)
    inside = token[:, None] * D + channel[None, :]
    at = query + pair // H * query_width + head * D
    q = tl.load(at + channel).to(tl.float32) * (scale * _LOG2E)
    top = -1e30
    total = 0.0
    weighted = tl.zeros([D], tl.float32)
    for index in range(first, last):
        block = tl.load(tables + slot * table_width + index).to(tl.int64)
        start = (block * H + head) * (BLOCK * D)
        k = tl.load(keys + start + inside).to(tl.float32)
        v = tl.load(values + start + inside).to(tl.float32)
        score = tl.sum(k * q[None, :], 1)
        score = tl.where(index * BLOCK + token < length, score, -1e30)
        new_top = tl.maximum(top, tl.max(score, 0))
        shrink = tl.exp2(top - new_top)
        share_of = tl.exp2(score - new_top)
        total = total * shrink + tl.sum(share_of, 0)
        weighted = weighted * shrink + tl.sum(share_of[:, None] * v, 0)
        top = new_top
    if SPLITS == 1:
        result = weighted / tl.maximum(total, 1e-20)
        tl.store(out + pair * D + channel, result.to(out.dtype.element_ty))
    else:
        part = pair * SPLITS + split
        tl.store(part_out + part * D + channel, weighted)
        tl.store(part_max + part, top)
        tl.store(part_sum + part, total)


@triton.jit
def attend_by_products(
    query, keys, values, rows, fields, tables, out, part_out, part_max, part_sum,
    scale, query_width, table_width,
    H: tl.constexpr, D: tl.constexpr, BLOCK: tl.constexpr, SPLITS: tl.constexpr,
    FLOAT8: tl.constexpr,
):  # fmt: skip
    """As `attend`, with the query as one row of 16 so that the matrix units do the sums.

    15 rows are idle, but each number of the cache costs fewer instructions than lane sums do: it
    pays where bytes are few, in float8, which goes through float16 (it holds all of e4m3).
    """
    pair = tl.program_id(0).to(tl.int64)
    split = tl.program_id(1)
    head = pair % H
    slot = tl.load(rows + pair // H).to(tl.int64)
    active = tl.load(fields + slot * _COLUMNS + _ACTIVE)
    length = (tl.load(fields + slot * _COLUMNS + _POSITION) + 1) * active
    blocks = tl.cdiv(length, BLOCK)
    share = tl.cdiv(blocks, SPLITS)
    first = split * share
    last = tl.minimum(first + share, blocks)

    channel = tl.arange(0, D)
    token = tl.arange(0, BLOCK)
    line = tl.arange(0, 16)
    inside = token[:, None] * D + channel[None, :]
    real = (line[:, None] == 0) & (channel[None, :] >= 0)
    at = query + pair // H * query_width + head * D
    q = tl.load(at + channel[None, :] + line[:, None] * 0, mask=real, other=0.0)
    q = q.to(tl.float32) * (scale * _LOG2E)
    q = q.to(tl.float16) if FLOAT8 else q.to(query.dtype.element_ty)
    top = tl.full([16], -1e30, tl.float32)
    total = tl.zeros([16], tl.float32)
    weighted = tl.zeros([16, D], tl.float32)
    for index in range(first, last):
        block = tl.load(tables + slot * table_width + index).to(tl.int64)
        start = (block * H + head) * (BLOCK * D)
        k = tl.load(keys + start + inside).to(q.dtype)
        v = tl.load(values + start + inside).to(q.dtype)
        score = tl.dot(q, tl.trans(k), input_precision="ieee")
        score = tl.where((index * BLOCK + token < length)[None, :], score, -1e30)
        new_top = tl.maximum(top, tl.max(score, 1))
        shrink = tl.exp2(top - new_top)
        share_of = tl.exp2(score - new_top[:, None])
        total = total * shrink + tl.sum(share_of, 1)
        product = tl.dot(share_of.to(q.dtype), v, input_precision="ieee")
        weighted = weighted * shrink[:, None] + product
        top = new_top
    if SPLITS == 1:
        result = weighted / tl.maximum(total, 1e-20)[:, None]
        place = out + pair * D + channel[None, :] + line[:, None] * 0
        tl.store(place, result.to(out.dtype.element_ty), mask=real)
    else:
        part = pair * SPLITS + split
        tl.store(part_out + part * D + channel[None, :] + line[:, None] * 0, weighted, mask=real)
        tl.store(part_max + part + line * 0, top, mask=line == 0)
        tl.store(part_sum + part + line * 0, total, mask=line == 0)


@triton.jit
def combine(part_out, part_max, part_sum, out, D: tl.constexpr, SPLITS: tl.constexpr):
    """Join the shares of each row and head."""
    pair = tl.program_id(0).to(tl.int64)
    channel = tl.arange(0, D)
    split = tl.arange(0, SPLITS)
    top = tl.load(part_max + pair * SPLITS + split)
    weight = tl.exp2(top - tl.max(top, 0))
    total = tl.sum(weight * tl.load(part_sum + pair * SPLITS + split), 0)
    place = part_out + (pair * SPLITS + split[:, None]) * D + channel[None, :]
    result = tl.sum(tl.load(place) * weight[:, None], 0) / tl.maximum(total, 1e-20)
    tl.store(out + pair * D + channel, result.to(out.dtype.element_ty))
