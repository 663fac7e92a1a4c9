"""What lies between the products of a layer: residual sums, norms, gates."""

import triton
import triton.language as tl


@triton.jit
def add_rms_norm(
    x, delta, weight, out, channels, eps,
    PARTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """X [T, C] += the sum of delta [T, PARTS, C]; out = x / rms(x) * weight. One program a row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < channels
    value = tl.load(x + row * channels + at, mask=mask, other=0.0).to(tl.float32)
    if PARTS > 0:
        total = tl.zeros([BLOCK], tl.float32)
        for part in tl.static_range(PARTS):
            place = delta + (row * PARTS + part) * channels
            total += tl.load(place + at, mask=mask, other=0.0).to(tl.float32)
        # Rounded once, as the residual stream is; a single part has been rounded already.
        value = (value + total).to(x.dtype.element_ty).to(tl.float32)
        tl.store(x + row * channels + at, value.to(x.dtype.element_ty), mask=mask)
    scale = tl.rsqrt(tl.sum(value * value, 0) / channels + eps)
    normal = (value * scale).to(x.dtype.element_ty).to(tl.float32)
    result = normal * tl.load(weight + at, mask=mask, other=0.0).to(tl.float32)
    tl.store(out + row * channels + at, result.to(out.dtype.element_ty), mask=mask)


@triton.jit
def add_layer_norm(
    x, delta, weight, bias, out, channels, eps,
    ADD: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """X [T, C] += delta [T, C]; out = layer norm of x. One program a row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    mask = at < channels
    value = tl.load(x + row * channels + at, mask=mask, other=0.0).to(tl.float32)
    if ADD:
        value += tl.load(delta + row * channels + at, mask=mask, other=0.0).to(tl.float32)
        value = value.to(x.dtype.element_ty).to(tl.float32)
        tl.store(x + row * channels + at, value.to(x.dtype.element_ty), mask=mask)
    mean = tl.sum(value, 0) / channels
    centred = tl.where(mask, value - mean, 0.0)
    scale = tl.rsqrt(tl.sum(centred * centred, 0) / channels + eps)
    weights = tl.load(weight + at, mask=mask, other=0.0).to(tl.float32)
    result = centred * scale * weights + tl.load(bias + at, mask=mask, other=0.0).to(tl.float32)
    tl.store(out + row * channels + at, result.to(out.dtype.element_ty), mask=mask)


@triton.jit
def silu_mul(gate_up, out, width, BLOCK: tl.constexpr):
    """Out [T, I] = silu(gate_up[:, :I]) * gate_up[:, I:]."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = at < width
    gate = tl.load(gate_up + row * 2 * width + at, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * width + width + at, mask=mask, other=0.0).to(tl.float32)
    gated = (gate * tl.sigmoid(gate)).to(out.dtype.element_ty).to(tl.float32)
    tl.store(out + row * width + at, (gated * up).to(out.dtype.element_ty), mask=mask)
