"""Where `quire ocr` writes: stdout, or one file for each document."""

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import Misconfigured, OutsideFailed, Refused
from shared.followups import EXPORTS
from shared.records import Job

if TYPE_CHECKING:
    from store.store import Store

_IMAGE = re.compile(r"images/([0-9a-f]{64})\.([a-z]{3,4})")
_LOOK_SECONDS = 0.1  # between looks whether an export is made
_LONGEST_STEM = 200  # bytes; with number and suffix below the 255 of a file name


class OcrOutput:
    """Writes results; two documents of one name never share a file.

    `folder` None: to stdout. Misconfigured when the folder cannot be made.
    """

    def __init__(self, folder: str | None, suffix: str, *, overwrite: bool) -> None:
        self._folder = Path(folder) if folder is not None else None
        self._suffix = suffix
        self._overwrite = overwrite
        self._written: set[Path] = set()
        if self._folder:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Misconfigured(
                    f"{folder} is no folder to write to: {error.strerror}"
                ) from None

    def write(self, store: "Store", job: Job, name: str, ended: Callable[[], bool]) -> str:
        """Write one document's result; the path written, "" for stdout.

        An export is made first. QuireError: it cannot be made; OutsideFailed: `ended` says that
        the system is gone that should make it.
        """
        if self._suffix in EXPORTS:
            job = _with_export(store, job, self._suffix, ended)
        blobs = store.blobs
        data = blobs.read(job.artifacts[self._suffix])
        if self._folder is None:
            ends = data.endswith(b"\n") or self._suffix in EXPORTS
            sys.stdout.buffer.write(data if ends else data + b"\n")
            sys.stdout.buffer.flush()
            return ""
        text = "" if self._suffix in EXPORTS else data.decode("utf-8")
        for sha256, extension in set(_IMAGE.findall(text)):
            images = self._folder / "images"
            images.mkdir(exist_ok=True)
            if blobs.exists(sha256):
                _replace(images / f"{sha256}.{extension}", blobs.read(sha256))
        path = self._free_path(Path(name).stem)
        _replace(path, data)
        return str(path)

    def _free_path(self, stem: str) -> Path:
        assert self._folder is not None
        stem = stem.encode()[:_LONGEST_STEM].decode("utf-8", "ignore")
        number = 1
        while True:
            middle = "" if number == 1 else f"-{number}"
            path = self._folder / f"{stem}{middle}.{self._suffix}"
            taken = path in self._written or (path.exists() and not self._overwrite)
            if not taken:
                self._written.add(path)
                return path
            number += 1


def _with_export(store: "Store", job: Job, kind: str, ended: Callable[[], bool]) -> Job:
    """The job once the collect stage has made this export."""
    store.want(job.id, kind)
    while (wish := store.wish(job.id, kind)) is not None:
        if wish.failure is not None:
            raise Refused(wish.failure.message, code=wish.failure.type)
        if ended():
            raise OutsideFailed(f"the system ended before the {kind} file was made")
        time.sleep(_LOOK_SECONDS)
    return store.job(job.id)


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
