"""Frames: what goes in comes out; what is not ours is a named error."""

import struct

import msgpack
import pytest

from bus.codec import check_payload, decode, encode, payload_hash
from shared.errors import ProtocolError
from shared.messages import Hello, Started, Task, parse_page_key

HELLO = Hello("a", "engine", "s", "h", 1, 2, (("j:1:e", 3, "running"),), "e", {"x": 1}, {})


@pytest.mark.parametrize("message", [HELLO, Task("k", 1, "j", {"n": [1, 2]}), Started("k", 2)])
def test_a_message_survives_the_wire(message):
    frames = encode(message, [b"one", b"two"])
    found, digest = decode(frames[0], frames[1])
    assert type(found) is type(message)
    assert found.KIND == message.KIND
    check_payload(digest, frames[2:])


def test_a_changed_payload_does_not_match():
    frames = encode(Started("k", 1), [b"one"])
    _, digest = decode(frames[0], frames[1])
    with pytest.raises(ProtocolError) as caught:
        check_payload(digest, [b"onE"])
    assert caught.value.code == "bad_hash"
    assert payload_hash([b"ab"]) == payload_hash([b"a", b"b"])


@pytest.mark.parametrize(
    ("prefix", "header", "code"),
    [
        (b"x", b"", "bad_prefix"),
        (struct.pack(">BBQ", 9, 1, 0), b"", "bad_version"),
        (struct.pack(">BBQ", 1, 250, 0), b"", "bad_kind"),
        (struct.pack(">BBQ", 1, 8, 0), b"\xc1", "bad_header"),
        (struct.pack(">BBQ", 1, 8, 0), msgpack.packb(["k"]), "bad_header"),
        (struct.pack(">BBQ", 1, 8, 0), msgpack.packb(["k", "1"]), "bad_header"),
        (struct.pack(">BBQ", 1, 8, 0), msgpack.packb({"k": 1}), "bad_header"),
        (struct.pack(">BBQ", 1, 8, 0), bytes(5 * 1024 * 1024), "too_large"),
    ],
)
def test_what_is_not_ours_is_a_named_error(prefix, header, code):
    with pytest.raises(ProtocolError) as caught:
        decode(prefix, header)
    assert caught.value.code == code


def test_a_split_key_is_no_page_key():
    with pytest.raises(ValueError):
        parse_page_key("split:j")
