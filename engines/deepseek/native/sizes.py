"""How large everything is, from the memory that is free: KV blocks, slots, graphs, chunks."""

from bisect import bisect_left
from dataclasses import dataclass

# Tokens of a KV block: what a program of the attention kernel reads at a time. Measured on an H200;
# half a block is lost at the end of a page.
BLOCK_TOKENS = 128
BLOCK_TOKENS_FLOAT8 = 64
MOST_SLOTS = 768  # beyond it a step takes longer than it saves: weights are 1/8 of its bytes
USUAL_PAGE_TOKENS = 1900  # 1,121 of image, some of prompt, 700 of text: a full page of print
_GRAPH_SIZES = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768)

# What a page takes beside the KV cache while it is encoded and read in, and what a running page
# takes (logits in two precisions, activations of all layers that a graph keeps).
_BYTES_PER_CHUNK_PAGE = 600 << 20
_BYTES_PER_SLOT = 3 << 20
_FIXED_BYTES = 768 << 20  # workspaces of cuBLAS, kernels, graphs
_SHARE_OF_FREE = 0.94  # the rest is left to fragmentation


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a runner allocates.

    `blocks` of `block_tokens` tokens each; `slots` pages that run at once; `max_tokens` of one
    page, image and answer together; `graphs` the batch sizes that steps are padded to, rising, the
    last at least `slots`; `chunk_pages` encoded at once.
    """

    blocks: int
    slots: int
    max_tokens: int
    chunk_pages: int
    graphs: tuple[int, ...]
    block_tokens: int = BLOCK_TOKENS

    @property
    def blocks_per_page(self) -> int:
        """Blocks of the longest page."""
        return -(-self.max_tokens // self.block_tokens)

    def graph_for(self, rows: int) -> int:
        """The batch size that so many rows are padded to."""
        return self.graphs[bisect_left(self.graphs, rows)]


def graph_sizes(slots: int) -> tuple[int, ...]:
    """Batch sizes to capture for up to `slots` pages."""
    return (*(size for size in _GRAPH_SIZES if size < slots), slots)


def sizes_for(
    free_bytes: int, kv_bytes_per_token: int, max_tokens: int, block_tokens: int = BLOCK_TOKENS
) -> Sizes | None:
    """Sizes for so much free memory, weights already loaded; None when not even one page fits.

    Large chunks and many slots pay only while the KV cache can feed them, so both shrink with the
    memory: 24 GB hold chunks of 2 and some 100 pages, 141 GB chunks of 8 and `MOST_SLOTS`.
    """
    usable = int(free_bytes * _SHARE_OF_FREE) - _FIXED_BYTES
    chunk = max(1, min(8, usable // (8 * _BYTES_PER_CHUNK_PAGE)))
    usable -= chunk * _BYTES_PER_CHUNK_PAGE
    block_bytes = kv_bytes_per_token * block_tokens
    slots = usable // (kv_bytes_per_token * USUAL_PAGE_TOKENS + _BYTES_PER_SLOT)
    slots = max(1, min(MOST_SLOTS, slots))
    blocks = (usable - slots * _BYTES_PER_SLOT) // block_bytes - 1  # one for block 0
    if blocks * block_tokens < max_tokens:
        return None
    # No more than all slots can fill.
    blocks = min(blocks, slots * -(-max_tokens // block_tokens))
    return Sizes(blocks, slots, max_tokens, chunk, graph_sizes(slots), block_tokens)
