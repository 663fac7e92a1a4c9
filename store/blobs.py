"""Content-addressed files: data/blobs/ab/cd/<sha256>, written in data/tmp, fsynced, linked.

A hold keeps the bytes of a blob alive between the moment they are stored and the moment a row
that uses them commits: it is a second hard link, data/tmp/<sha256>.<random>, so it costs no
space, and a delete of the blob in between can be undone (`ensure`). Every `put`, `commit` and
`hold` makes one hold; registering the row releases one. See store/references.py for the proof.
"""

import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.errors import NotFound
from store.disk import disk_in_words

_SHA256 = re.compile(r"[0-9a-f]{64}")
EMPTY = hashlib.sha256().hexdigest()
_HOLD_SECONDS = 3600.0  # a caller that has not registered its blob by then has forgotten it


class BlobWriter:
    """Takes the bytes of one new blob; as a context manager it aborts unless committed."""

    def __init__(self, store: "BlobStore") -> None:
        self._store = store
        self._path = store.temp / f"{secrets.token_hex(12)}.part"
        self._file = self._path.open("xb")
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append to the blob."""
        with disk_in_words():
            self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def commit(self) -> tuple[str, int]:
        """Make the blob durable and known by its hash: (sha256, size in bytes).

        OutsideFailed (`disk_full`, `disk_failed`); nothing of it is left then.
        """
        sha256 = self._hash.hexdigest()
        with disk_in_words():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        self._store.publish({sha256: self._path}, durable=True)
        return sha256, self._size

    def abort(self) -> None:
        """Forget what was written. Nothing happens after a commit."""
        if not self._file.closed:
            try:
                with disk_in_words():
                    self._file.close()
            finally:  # on a full disk the close fails, too
                self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


class BlobStore:
    """The files of one data directory, shared by many processes and threads."""

    def __init__(self, data: Path) -> None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds people's documents
        self.root = data / "blobs"
        self.temp = data / "tmp"
        self.root.mkdir(parents=True, exist_ok=True)
        self.temp.mkdir(parents=True, exist_ok=True)
        self._holds: dict[str, list[tuple[float, Path]]] = {}
        self._lock = threading.Lock()

    def writer(self) -> BlobWriter:
        """A writer for bytes that arrive in pieces."""
        return BlobWriter(self)

    def put(self, data: bytes, *, durable: bool = True) -> str:
        """Store the bytes and answer their sha256. Not durable: a power cut may lose them."""
        return self.put_many([data], durable=durable)[0]

    def put_many(self, parts: Sequence[bytes], *, durable: bool = True) -> list[str]:
        """Store several blobs; their fsyncs share one journal commit of the file system.

        OutsideFailed (`disk_full`, `disk_failed`); of those not stored nothing is left then.
        """
        hashes: list[str] = []
        fresh: dict[str, Path] = {}
        for data in parts:
            sha256 = hashlib.sha256(data).hexdigest()
            hashes.append(sha256)
            if sha256 in fresh or self._stored_size(sha256) == len(data):
                continue
            fresh[sha256] = self.temp / f"{secrets.token_hex(12)}.part"
            with disk_in_words(), _all_or_none(fresh.values()):
                fresh[sha256].write_bytes(data)
        if durable:
            with disk_in_words(), _all_or_none(fresh.values()):
                for path in fresh.values():
                    _fsync(path)
        self.publish(fresh, durable=durable)
        held = set(fresh)
        for index, sha256 in enumerate(hashes):
            if sha256 in held:
                held.discard(sha256)  # publish made this one's hold
            elif not self.hold(sha256):
                # Deleted by another process since we looked: it must be written after all.
                hashes[index] = self.put(parts[index], durable=durable)
        return hashes

    def path(self, sha256: str) -> Path:
        """Where the blob is or would be. ValueError unless 64 lower-case hex digits."""
        if not is_sha256(sha256):
            raise ValueError(f"{sha256[:80]!r} is not a sha256")
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def read(self, sha256: str) -> bytes:
        """The bytes. NotFound (`blob_not_found`) when they are not here."""
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise NotFound(
                f"The file {sha256} is not in the data directory.", code="blob_not_found"
            ) from error

    def exists(self, sha256: str) -> bool:
        """Whether the blob is here and was not cut to nothing by a power loss."""
        size = self._stored_size(sha256)
        return size is not None and (size > 0 or sha256 == EMPTY)

    def delete(self, sha256: str) -> None:
        """Remove the file, whoever uses it: callers want `Store.discard`."""
        self.path(sha256).unlink(missing_ok=True)

    def publish(self, files: dict[str, Path], *, durable: bool) -> None:
        """Give finished temp files their blob names; each temp file becomes a hold."""
        folders: set[Path] = set()
        for sha256, path in files.items():
            hold = self._new_hold(sha256)
            with disk_in_words(), _all_or_none((hold, *files.values())):
                size = path.stat().st_size
                path.rename(hold)
                folders |= self._name(sha256, hold, size)
            self._remember(sha256, hold)
        if durable:
            with disk_in_words():
                for folder in folders:
                    _fsync(folder)

    def _name(self, sha256: str, hold: Path, size: int) -> set[Path]:
        """Link a hold to its blob's name; the folders that need an fsync."""
        target = self.path(sha256)
        folders = self._make_folder(target.parent)
        try:
            os.link(hold, target)
        except FileExistsError:
            if self._stored_size(sha256) != size:  # cut by a power loss: ours is whole
                spare = self.temp / f"{secrets.token_hex(12)}.part"
                os.link(hold, spare)
                spare.replace(target)
        return folders

    def hold(self, sha256: str) -> bool:
        """Keep an existing blob's bytes until `release`; False when the blob is not here."""
        if not self.exists(sha256):
            return False
        hold = self._new_hold(sha256)
        try:
            with disk_in_words():
                os.link(self.path(sha256), hold)
        except FileNotFoundError:
            return False
        self._remember(sha256, hold)
        return True

    def ensure(self, sha256: str) -> bool:
        """Put a deleted blob back from any process's hold; whether it is here afterwards."""
        if self.exists(sha256):
            return True
        target = self.path(sha256)
        for hold in self.temp.glob(f"{sha256}.*"):
            folders = self._make_folder(target.parent)
            spare = self.temp / f"{secrets.token_hex(12)}.part"
            try:
                os.link(hold, spare)
            except FileNotFoundError:
                continue  # released meanwhile
            spare.replace(target)
            for folder in folders:
                _fsync(folder)
            if self.exists(sha256):
                return True
        return False

    def release(self, sha256: str) -> None:
        """Drop one hold of this process, the oldest. Nothing happens without one."""
        with self._lock:
            held = self._holds.get(sha256)
            hold = held.pop(0)[1] if held else None
            if not held:
                self._holds.pop(sha256, None)
        if hold is not None:
            hold.unlink(missing_ok=True)

    def _remember(self, sha256: str, hold: Path) -> None:
        now = time.monotonic()
        with self._lock:
            self._holds.setdefault(sha256, []).append((now, hold))
            oldest = next(iter(self._holds))
            forgotten = now - self._holds[oldest][0][0] > _HOLD_SECONDS
        if forgotten:
            self.release(oldest)

    def _new_hold(self, sha256: str) -> Path:
        return self.temp / f"{sha256}.{secrets.token_hex(8)}"

    def _stored_size(self, sha256: str) -> int | None:
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def _make_folder(self, folder: Path) -> set[Path]:
        """Make ab/cd; the folders whose entries changed and need an fsync."""
        changed = {folder}
        if not folder.is_dir():
            changed |= {folder.parent, self.root}
            folder.mkdir(parents=True, exist_ok=True)
        return changed


def is_sha256(name: str) -> bool:
    """Whether this is the name of a blob: 64 lower-case hex digits."""
    return _SHA256.fullmatch(name) is not None


@contextmanager
def _all_or_none(paths: Iterable[Path]) -> Iterator[None]:
    """Remove these when it fails: on a full disk each new try would leave some more behind."""
    try:
        yield
    except OSError:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
