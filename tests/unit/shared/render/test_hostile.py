"""Each attack alone, in each kind of block: it is text afterwards, or nothing."""

import pytest

from shared.blocks import Block, BlockType
from shared.render import to_html, to_markdown
from tests.fakes.hostile_engine import ATTACKS
from tests.fakes.safe_html import dangers, rendered


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_harmless_in_each_block_and_format(attack):
    for kind in BlockType:
        content = attack if kind is not BlockType.TABLE else f"<table><tr><td>{attack}"
        blocks = [
            Block(kind, 0, (0, 0, 1, 1), content),
            Block(BlockType.TEXT, 1, (0, 0, 1, 1), f"{attack} {attack}", continues_prev=True),
        ]
        assert dangers(to_html(blocks, furniture=True)) == [], kind
        assert dangers(rendered(to_markdown(blocks, furniture=True))) == [], kind
