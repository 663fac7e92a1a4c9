import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.blocks import FURNITURE, Block, BlockType, PageOutput

SHARE = st.floats(0, 1).map(lambda value: round(value, 5))
BLOCKS = st.builds(
    Block,
    type=st.sampled_from(BlockType),
    order=st.integers(0, 999),
    bbox=st.tuples(SHARE, SHARE, SHARE, SHARE),
    content=st.text(),
    level=st.none() | st.integers(1, 6),
    continues_prev=st.booleans(),
    caption_of=st.none() | st.integers(0, 999),
    confidence=st.none() | st.floats(0, 1),
    engine=st.text(),
    image=st.none() | st.just("a" * 64),
)


@given(BLOCKS)
def test_a_block_survives_json(block):
    assert Block.from_json(json.loads(json.dumps(block.to_json()))) == block


def test_all_keys_are_always_there():
    data = Block(BlockType.TEXT, 1, (0.1, 0.2, 0.3, 0.4), "x").to_json()
    assert list(data) == list(Block.__dataclass_fields__)
    assert data["bbox"] == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize("change", [{"type": "poem"}, {"bbox": [1, 2]}, {"order": "x"}])
def test_what_is_no_block_is_refused(change):
    data = Block(BlockType.TEXT, 1, (0, 0, 1, 1), "x").to_json()
    with pytest.raises(ValueError):
        Block.from_json({**data, **change})
    del data["bbox"]
    with pytest.raises(KeyError):
        Block.from_json(data)


def test_heads_feet_and_page_numbers_are_furniture():
    made = [Block(kind, 0, (0, 0, 1, 1), "").is_furniture for kind in BlockType]
    assert made == [kind in FURNITURE for kind in BlockType]
    assert {"header", "footer", "page_number"} == FURNITURE


def test_a_page_with_other_blocks_keeps_the_rest():
    page = PageOutput((), b"raw", width=5.0, warnings=("w",))
    block = Block(BlockType.TEXT, 0, (0, 0, 1, 1), "x")
    assert page.with_blocks((block,)) == PageOutput((block,), b"raw", width=5.0, warnings=("w",))
