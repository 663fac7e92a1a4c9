"""Errors of the disk in words: what a person has to do, and that it may be tried again."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import OutsideFailed

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BROKEN = frozenset({errno.EIO, errno.EROFS})


def disk_full() -> OutsideFailed:
    """The one sentence for it, from the database as from the files."""
    return OutsideFailed(
        "The disk of the data directory is full; free some space.", code="disk_full"
    )


@contextmanager
def disk_in_words() -> Iterator[None]:
    """OutsideFailed (`disk_full`, `disk_failed`) for what the disk is to blame for."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full() from error
        if error.errno in _BROKEN:
            raise OutsideFailed(
                f"The disk of the data directory fails ({error.strerror}); look at it.",
                code="disk_failed",
            ) from error
        raise
