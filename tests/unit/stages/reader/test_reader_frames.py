import io

import pytest

from shared.errors import ProtocolError
from stages.reader.frames import PREFIX, pack_prefix, read_frame, unpack_header, unpack_sizes


def test_a_header_comes_back_as_it_was():
    stream = io.BytesIO(pack_prefix({"op": "page", "name": "Größe 頁"}, 0))

    assert read_frame(stream, 0) == ({"op": "page", "name": "Größe 頁"}, b"")
    assert read_frame(stream, 0) is None


def test_a_body_comes_with_its_header_and_none_over_the_limit():
    whole = pack_prefix({"op": "text"}, 3) + b"abc"

    assert read_frame(io.BytesIO(whole), 3) == ({"op": "text"}, b"abc")
    with pytest.raises(ProtocolError, match="over the limit"):
        read_frame(io.BytesIO(whole), 2)


@pytest.mark.parametrize(
    ("header", "body"), [(64 * 1024 + 1, 0), (10, 1001), (2**32 - 1, 2**64 - 1)]
)
def test_announced_sizes_over_the_limit_are_refused_before_reading(header, body):
    with pytest.raises(ProtocolError, match="over the limit"):
        unpack_sizes(PREFIX.pack(header, body), 1000)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ProtocolError):
        unpack_header(text)
