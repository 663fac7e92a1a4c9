"""How many pages fit into memory together, as learned from running out of it."""

_CALM_PAGES = 50  # read well before another one is tried beside them


class Room:
    """Halves when memory runs out and grows back slowly. MemoryError when one page is too much."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calm = 0
        self.pages = most

    def changed(self, ran_out: bool) -> bool:  # noqa: FBT001 - the one fact it goes by
        """Count a page that was done; whether `pages` is another one now."""
        before = self.pages
        if ran_out:
            if self.pages == 1:
                raise MemoryError
            self.pages, self._calm = max(1, self.pages // 2), 0
        elif self.pages < self._most:
            self._calm += 1
            if self._calm >= _CALM_PAGES:
                self.pages, self._calm = self.pages + 1, 0
        return self.pages != before
