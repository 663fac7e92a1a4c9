"""A page's answer as frames, and frames as one piece of bytes."""

import hashlib
import json

import pytest

from shared.blocks import Block, BlockType, PageOutput
from shared.errors import ProtocolError
from shared.page_codec import from_frames, pack, to_frames, unpack


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_an_answer_comes_back_from_frames_that_were_packed():
    block = Block(BlockType.TEXT, 0, (0.1, 0.2, 0.3, 0.4), "中文 \ud800", label="chart/bar")
    output = PageOutput(
        (block,), b"\0raw", source="model", images={sha256(b"PNG"): b"PNG"}, finish_reason="length"
    )
    assert from_frames(unpack(pack(to_frames(output)))) == output
    assert unpack(pack([])) == []
    assert unpack(pack([b"", b"x", b""])) == [b"", b"x", b""]


@pytest.mark.parametrize("cut", [1, 3, 5, 9])
def test_a_piece_that_was_cut_is_refused(cut):
    with pytest.raises(ProtocolError, match="ends in the middle"):
        unpack(pack([b"abcd", b"ef"])[:-1][:cut])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("timings", {"total": "12"}),
        ("timings", None),
        ("warnings", [None]),
        ("warnings", "words"),
        ("model", None),
        ("source", 3),
        ("width", None),
        ("height", 10**400),
        ("skew_degrees", "0"),
        ("turned_degrees", 10**30),
        ("level", "2"),
        ("caption_of", 1.5),
        ("confidence", "high"),
        ("image", 7),
        ("order", float("inf")),
        ("order", 10**30),
        ("bbox", [0, 0, 1]),
        ("type", "poem"),
    ],
)
def test_a_field_of_another_type_is_refused_at_the_border(place, value):
    block = Block(BlockType.TEXT, 0, (0.1, 0.2, 0.3, 0.4), "words")
    frames = to_frames(PageOutput((block,), b"raw"))
    header = json.loads(frames[0])
    (header["blocks"][0] if place in header["blocks"][0] else header)[place] = value
    with pytest.raises(ProtocolError, match="cannot be read"):
        from_frames([json.dumps(header).encode(), *frames[1:]])


@pytest.mark.parametrize("name", ["figure-1", "a" * 64, sha256(b"other")])
def test_an_image_has_the_name_of_its_bytes(name):
    with pytest.raises(ProtocolError, match="sha256"):
        from_frames(to_frames(PageOutput((), b"", images={name: b"PNG"})))


def test_json_that_nests_without_end_is_refused():
    with pytest.raises(ProtocolError):
        from_frames([b"[" * 200_000, b""])
