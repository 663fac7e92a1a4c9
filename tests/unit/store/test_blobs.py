import errno
import hashlib
import os
import resource

import pytest

from shared.errors import NotFound, OutsideFailed
from store import BlobStore, blobs


@pytest.fixture
def store(tmp_path) -> BlobStore:
    return BlobStore(tmp_path)


def temp_names(store: BlobStore) -> list[str]:
    return sorted(path.name for path in store.temp.iterdir())


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_bytes_come_back_by_their_hash(store, data):
    sha256 = store.put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert store.put(data, durable=False) == sha256
    assert store.read(sha256) == data
    assert store.exists(sha256)
    assert store.path(sha256) == store.root / sha256[:2] / sha256[2:4] / sha256
    store.delete(sha256)
    store.delete(sha256)
    assert not store.exists(sha256)
    with pytest.raises(NotFound) as caught:
        store.read(sha256)
    assert caught.value.code == "blob_not_found"


def test_a_writer_takes_pieces(store):
    with store.writer() as writer:
        for piece in (b"one ", memoryview(b"two "), b"", b"three"):
            writer.write(piece)
        sha256, size = writer.commit()
    assert (store.read(sha256), size) == (b"one two three", 13)
    assert temp_names(store)[0].startswith(sha256)


def test_a_writer_that_does_not_commit_leaves_nothing(store):
    with store.writer() as writer:
        writer.write(b"half")
        assert len(temp_names(store)) == 1
    writer.abort()
    assert temp_names(store) == []


def test_a_writer_on_a_full_disk_leaves_nothing(store):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = store.writer()
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        writer.write(b"x" * 6000)  # stays in the buffer
        with pytest.raises(OSError, match="too large"):
            writer.abort()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert temp_names(store) == []


def test_many_with_doubles_and_known_ones(store):
    known = store.put(b"known")
    hashes = store.put_many([b"a", b"known", b"a", b"b"])
    assert [store.read(sha256) for sha256 in hashes] == [b"a", b"known", b"a", b"b"]
    assert hashes[1] == known
    for sha256 in (*hashes, known):
        store.release(sha256)
    assert temp_names(store) == []
    store.release(known)
    assert store.put_many([]) == []


@pytest.mark.parametrize(
    "name", ["", "a", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "g" * 64]
)
def test_only_hashes_are_paths(store, name):
    for ask in (store.path, store.read, store.exists, store.delete):
        with pytest.raises(ValueError, match="sha256"):
            ask(name)


def test_a_hold_puts_a_deleted_blob_back_also_for_another_process(store, tmp_path):
    other = BlobStore(tmp_path)
    sha256 = store.put(b"held")
    other.delete(sha256)
    assert other.ensure(sha256)
    assert other.read(sha256) == b"held"
    store.release(sha256)
    other.delete(sha256)
    assert not other.ensure(sha256)
    assert not other.hold(sha256)


def test_a_cut_blob_is_written_again(store):
    sha256 = store.put(b"whole")
    store.release(sha256)
    store.path(sha256).unlink()
    store.path(sha256).write_bytes(b"")
    assert not store.exists(sha256)
    assert not store.ensure(sha256)
    assert store.put(b"whole") == sha256
    assert store.read(sha256) == b"whole"


def test_forgotten_holds_are_dropped(store, monkeypatch):
    store.put(b"forgotten")
    monkeypatch.setattr(blobs, "_HOLD_SECONDS", -1.0)
    sha256 = store.put(b"another")
    assert len(temp_names(store)) == 1
    assert store.read(sha256) == b"another"


@pytest.mark.parametrize("step", ["fsync", "link", "mkdir"])
def test_a_full_disk_is_said_and_leaves_nothing(store, monkeypatch, step):
    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((type(store.root), step) if step == "mkdir" else (os, step)), full)
    with pytest.raises(OutsideFailed) as caught:
        store.put_many([b"one", b"two"])
    assert caught.value.code == "disk_full"
    with store.writer() as writer:
        writer.write(b"three")
        with pytest.raises(OutsideFailed):
            writer.commit()
    monkeypatch.undo()
    assert temp_names(store) == []
    assert len(store.put_many([b"one", b"two"])) == 2
