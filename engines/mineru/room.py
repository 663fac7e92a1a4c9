"""How many pages fit into memory together, as learned from running out of it."""

_CALM = 50  # documents read well before one page more is tried beside them


class Room:
    """Halves when memory runs out and grows back slowly. MemoryError when one page is too much."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calm = 0
        self.pages = most

    def note(self, *, memory_ran_out: bool) -> None:
        """Learn from a document that was read, or for which there was no memory."""
        if memory_ran_out:
            if self.pages == 1:
                raise MemoryError
            self.pages, self._calm = self.pages // 2, 0
        elif self.pages < self._most:
            self._calm += 1
            if self._calm >= _CALM:
                self.pages, self._calm = self.pages + 1, 0
