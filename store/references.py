"""Which blobs are in use, and the rule that no blob is deleted under a row.

Files and rows live in two places, so this is how a blob never goes missing under a row:

1. All rows that name a blob are written inside `Database.write`, and every writer of every
   process is alone there (BEGIN IMMEDIATE, or one advisory lock).
2. In that transaction, `require` finds each blob on disk, or puts it back from a hold, which the
   process that stored the bytes keeps until after the commit.
3. Blobs are unlinked only by `free`, inside such a transaction too, after reading there that no
   committed row names them.

So a delete and a registration are never at the same time. If the delete comes first, the
registration sees the blob missing and restores it; if it comes second, it sees the row. A crash
at any point leaves at most a blob without a row, or a hold: the janitor removes both by age.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from shared.errors import OutsideFailed
from store.blobs import BlobStore
from store.database import Database
from store.schema import artifacts, documents, page_images, result_images

_COLUMNS = (documents.c.id, page_images.c.sha256, result_images.c.sha256, artifacts.c.sha256)
_CHUNK = 250  # unlinks per transaction: some 10 ms in which nobody else writes


class References:
    """The link between rows and blobs."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def require(self, connection: sa.Connection, blobs: Iterable[str]) -> set[str]:
        """Make sure that blobs are on disk while rows that name them are written; those lost."""
        del connection  # asked for as a sign that the caller is inside a write transaction
        return {sha256 for sha256 in set(blobs) if not self._blobs.ensure(sha256)}

    def require_all(self, connection: sa.Connection, blobs: Iterable[str]) -> None:
        """As `require`; OutsideFailed (`blob_missing`) when one is lost."""
        lost = self.require(connection, blobs)
        if lost:
            raise OutsideFailed(
                f"The file {min(lost)} is missing from the data directory; store it again.",
                code="blob_missing",
            )

    def free(self, blobs: Iterable[str]) -> tuple[int, int]:
        """Unlink those that no row names: (files, bytes)."""
        candidates = sorted(set(blobs))
        files = size = 0
        for start in range(0, len(candidates), _CHUNK):
            chunk = candidates[start : start + _CHUNK]
            with self._database.write() as connection:
                for sha256 in self._unused(connection, chunk):
                    try:
                        bytes_here = self._blobs.path(sha256).stat().st_size
                    except FileNotFoundError:
                        continue
                    self._blobs.delete(sha256)
                    files, size = files + 1, size + bytes_here
        return files, size

    def unused(self, blobs: Iterable[str]) -> set[str]:
        """Those that no row names at this moment: a look that holds up no writer."""
        with self._database.read() as connection:
            return self._unused(connection, list(blobs))

    def _unused(self, connection: sa.Connection, blobs: list[str]) -> set[str]:
        unused = set(blobs)
        for column in _COLUMNS:
            query = sa.select(column).where(column.in_(blobs)).distinct()
            unused.difference_update(connection.scalars(query))
        return unused
