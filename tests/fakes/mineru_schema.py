"""What MinerU's own schema says of blocks, told by the interpreter that has it.

    .venv-mineru/bin/python tests/fakes/mineru_schema.py < BLOCKS

BLOCKS is a JSON list of top-level blocks, all of which are checked as one page of a middle JSON.
Prints the names of all types, those that may say that they continue what was before, and all
fields that blocks have.
"""

import inspect
import json
import sys
from typing import get_args

from docvortex import schema


def main() -> None:
    """Check and tell."""
    page = {"page_idx": 0, "blocks": json.load(sys.stdin)}
    schema.PageInfo.model_validate_json(json.dumps(page))
    models = [
        model
        for _, model in inspect.getmembers(schema, inspect.isclass)
        if issubclass(model, schema.BlockBase)
    ]
    kinds = {model: get_args(model.model_fields["type"].annotation) for model in models}
    continues = {
        str(kind[0])
        for model, kind in kinds.items()
        if "continues_prev" in model.model_fields and len(kind) == 1  # others are bases
    }
    told = {
        "types": sorted(str(kind) for kind in schema.BlockType),
        "continues": sorted(continues),
        "fields": sorted({name for model in models for name in model.model_fields}),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
