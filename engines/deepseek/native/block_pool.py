"""Which blocks of the KV cache are free."""


class BlockPool:
    """Blocks by number, 1 to `count`. Block 0 is never given out: idle rows of a step write there.

    A freed block is the next to be given out again, so a small load touches little memory.
    """

    def __init__(self, count: int) -> None:
        self._free = list(range(count, 0, -1))
        self.count = count

    @property
    def free(self) -> int:
        """How many blocks are left."""
        return len(self._free)

    def take(self, count: int) -> list[int]:
        """So many blocks; an empty list when there are not as many."""
        if count <= 0 or count > len(self._free):
            return []
        taken = self._free[-count:]
        del self._free[-count:]
        return taken[::-1]

    def give_back(self, blocks: list[int]) -> None:
        """Free these blocks."""
        self._free.extend(reversed(blocks))


def blocks_for(tokens: int, block_tokens: int) -> int:
    """How many blocks hold so many tokens."""
    return -(-tokens // block_tokens)
