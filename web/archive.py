"""result.zip, made while it is sent: no file of it is ever whole in memory or on disk."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from shared.records import Job
from shared.render import image_extension
from store.store import Store

SCHEMA = Path(__file__).parents[1] / "shared" / "schema" / "quire-1.json"  # of result.json
_CHUNK_BYTES = 256 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same job gives the same archive


class _Sink:
    """What zipfile has written and nobody has taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def zip_result(store: Store, job: Job) -> Iterator[bytes]:
    """The job's files as result.*, the schema of the JSON, and the figures under images/."""
    sink = _Sink()
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w") as archive:  # it only writes and flushes
        for extension, sha256 in sorted(job.artifacts.items()):
            packed = extension in {"docx", "pdf"}
            method = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            info = _entry(f"result.{extension}", method)
            with store.blobs.path(sha256).open("rb") as source:
                yield from _add(archive, info, source, sink)
        schema = _entry(SCHEMA.name, zipfile.ZIP_DEFLATED)
        with SCHEMA.open("rb") as source:
            yield from _add(archive, schema, source, sink)
        for sha256 in store.images(job.id):
            try:
                source = store.blobs.path(sha256).open("rb")
            except FileNotFoundError:
                continue  # the janitor has said so in the job's warnings
            with source:
                extension = image_extension(source.read(12))
                source.seek(0)
                info = _entry(f"images/{sha256}.{extension}", zipfile.ZIP_STORED)
                yield from _add(archive, info, source, sink)
    yield sink.take()


def _entry(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = method
    info.external_attr = 0o644 << 16
    return info


def _add(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: IO[bytes], sink: _Sink
) -> Iterator[bytes]:
    with archive.open(info, "w") as target:
        while chunk := source.read(_CHUNK_BYTES):
            target.write(chunk)
            if ready := sink.take():
                yield ready
