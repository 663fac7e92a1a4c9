"""The kinds of blocks that our tests know are those that the installed MinerU has."""

import json
import subprocess

from tests.fakes.systems import ROOT
from tests.unit.engines.mineru.kinds import KINDS, types_in, with_index

# of a block, and where it goes: our own fields, its label, or the raw output alone
FIELDS = {"bbox", "content", "continues_prev", "image_base64", "image_path", "index", "level"}
LABEL = {"type", "sub_type", "guess_lang"}
RAW = {"anchor", "cell_merge", "image_url"}  # links of office files; hints for joining rows


def test_every_kind_of_block_is_known(mineru_python):
    nodes = [with_index(kind.node, number) for number, kind in enumerate(KINDS)]
    told = json.loads(
        subprocess.run(
            [mineru_python, ROOT / "tests" / "fakes" / "mineru_schema.py"],
            input=json.dumps(nodes),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    )
    assert set(told["types"]) == {name for node in nodes for name in types_in(node)}
    assert set(told["continues"]) == {kind.node["type"] for kind in KINDS if kind.joins}
    assert set(told["fields"]) == FIELDS | LABEL | RAW
