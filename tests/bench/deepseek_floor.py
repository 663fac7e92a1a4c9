"""The least time that one page can take: operations over the rate, bytes over the bandwidth.

    python -m tests.bench.deepseek_floor

Counted for the page of `deepseek_true_size`: one view of 1024, six tiles of 768, 1,121 tokens of
image. Rates are those of an NVIDIA H200, measured (a copy of 8.6 GB; a product of 8192 cubed).
"""

from dataclasses import dataclass

COPY_BYTES_PER_S = 4.3e12
PRODUCT_FLOPS = 790e12
TEXT_LAYERS, CHANNELS, VOCABULARY = 12, 1280, 129280
ROUTED, SHARED, CHOSEN, WIDTH, DENSE = 64, 2, 6, 896, 6848
IMAGE_TOKENS, PROMPT_TOKENS, PAGE_TOKENS = 1121, 9, 1000
_ATTENTION = TEXT_LAYERS * 4 * CHANNELS**2
_EXPERT = (TEXT_LAYERS - 1) * 3 * CHANNELS * WIDTH
_DENSE = 3 * CHANNELS * DENSE
_HEAD = VOCABULARY * CHANNELS
ACTIVE = _ATTENTION + _DENSE + _EXPERT * (CHOSEN + SHARED)  # parameters that one token uses
WEIGHT_BYTES = 2 * (_ATTENTION + _DENSE + _EXPERT * (ROUTED + SHARED) + _HEAD)


@dataclass(frozen=True, slots=True)
class Floor:
    """Milliseconds of one page, by part."""

    vision: float
    read_in: float
    steps: float

    @property
    def pages_per_second(self) -> float:
        """With nothing in between."""
        return 1000 / (self.vision + self.read_in + self.steps)


def sam_flops(side: int) -> float:
    """One image of `side` pixels through SAM and its neck."""
    tokens, layers, width = (side // 16) ** 2, 12, 768
    linear = 2 * tokens * layers * 12 * width**2
    attention = 4 * width * tokens * (4 * tokens + 8 * 196)
    neck = 2 * tokens * (width * 256 + 9 * 256 * 256 + width * 3 * 256)
    return linear + attention + neck + 2 * 9 * (tokens // 4 * 256 * 512 + tokens // 16 * 512 * 896)


def encoder_flops(tokens: int) -> float:
    """One image through the query encoder: 24 layers, 358 million parameters."""
    return 2 * 357.9e6 * tokens + 24 * 4 * tokens**2 * 896


def kv_bytes_per_token(float8: bool) -> int:
    """Keys and values of one token."""
    return 2 * TEXT_LAYERS * CHANNELS * (1 if float8 else 2)


def floor(batch: int, *, float8: bool = False, tokens: int = PAGE_TOKENS) -> Floor:
    """With `batch` pages at once, which share the reading of the weights."""
    prompt = IMAGE_TOKENS + PROMPT_TOKENS
    images = sam_flops(1024) + encoder_flops(512) + 6 * (sam_flops(768) + encoder_flops(288))
    read_in = 2 * ACTIVE * prompt + TEXT_LAYERS * 2 * prompt**2 * CHANNELS
    past = sum(prompt + made for made in range(tokens))
    moved = kv_bytes_per_token(float8) * past + tokens * WEIGHT_BYTES / batch
    counted = tokens * 2 * (ACTIVE + _HEAD) + TEXT_LAYERS * 4 * CHANNELS * past
    steps = max(moved / COPY_BYTES_PER_S, counted / PRODUCT_FLOPS)
    return Floor(images / PRODUCT_FLOPS * 1e3, read_in / PRODUCT_FLOPS * 1e3, steps * 1e3)


if __name__ == "__main__":
    print("| pages at once | KV | vision | read in | steps | pages/s |\n|---|---|---|---|---|---|")
    for pages, small in ((64, False), (128, False), (256, False), (768, False), (768, True)):
        least = floor(pages, float8=small)
        kind = "float8" if small else "bf16"
        print(
            f"| {pages} | {kind} | {least.vision:.1f} | {least.read_in:.1f} | {least.steps:.1f} "
            f"| {least.pages_per_second:.1f} |"
        )
