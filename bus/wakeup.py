"""A descriptor that wakes a poll from another thread or a signal handler."""

import os


class Wakeup:
    """`set` makes `fileno` readable until `clear`."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """For a poller."""
        return self._descriptor

    def set(self) -> None:
        """Wake. Never blocks."""
        os.eventfd_write(self._descriptor, 1)

    def clear(self) -> None:
        """Sleep again."""
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)
