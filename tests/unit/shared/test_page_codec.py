"""A page's answer as frames, and frames as one piece of bytes."""

import pytest

from shared.blocks import Block, BlockType, PageOutput
from shared.errors import ProtocolError
from shared.page_codec import from_frames, pack, to_frames, unpack


def test_an_answer_comes_back_from_frames_that_were_packed():
    block = Block(BlockType.TEXT, 0, (0.1, 0.2, 0.3, 0.4), "中文 \ud800")
    output = PageOutput(
        (block,), b"\0raw", source="model", images={"a" * 64: b"PNG"}, finish_reason="length"
    )
    assert from_frames(unpack(pack(to_frames(output)))) == output
    assert unpack(pack([])) == []
    assert unpack(pack([b"", b"x", b""])) == [b"", b"x", b""]


@pytest.mark.parametrize("cut", [1, 3, 5, 9])
def test_a_piece_that_was_cut_is_refused(cut):
    with pytest.raises(ProtocolError, match="ends in the middle"):
        unpack(pack([b"abcd", b"ef"])[:-1][:cut])
