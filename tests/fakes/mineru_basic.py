"""Stand-ins for what the tier basic has beside flash: a formula and a table, the same each time.

They are models like any other to MinerU, which cuts the regions out, prepares them, and makes LaTeX
and HTML of what they say. Which words are in which cell is for it to find out.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fakes.mineru_weights import DOC_TITLE, REPOSITORY, TEXT, Regions, make_weights

DISPLAY_FORMULA, TABLE = 5, 21  # classes of PP-DocLayoutV2
FORMULA_BOX = (0.05, 0.30, 0.95, 0.38)
TABLE_BOX = (0.10, 0.45, 0.90, 0.65)
REGIONS: Regions = (
    (DOC_TITLE, 0.95, 0.05, 0.03, 0.95, 0.12),
    (TEXT, 0.95, 0.05, 0.13, 0.95, 0.28),
    (DISPLAY_FORMULA, 0.95, *FORMULA_BOX),
    (TABLE, 0.95, *TABLE_BOX),
)
LATEX = ("E", "=", "m", "c", "^", "{", "2", "}")
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_MARKUP = ("<tbody>", "</tbody>", "<tr>", "</tr>", "<td></td>")
_ROW = ("<tr>", "<td></td>", "<td></td>", "</tr>")
_STRUCTURE = ("<tbody>", *_ROW, *_ROW, "</tbody>", "eos")


def make_basic_weights(folder: Path, page: tuple[float, float] = (595, 842)) -> Path:
    """All that basic needs, for pages of this size in points; the folder."""
    make_weights(folder, REGIONS)
    models = folder / REPOSITORY
    formula = models / "MFR" / "pp_formulanet_plus_m" / "PP-FormulaNet_plus-M"
    tables = models / "Table"
    for made in (formula.parent, tables):
        made.mkdir(parents=True)
    onnx.save(_formula_model(), f"{formula}.onnx")
    Path(f"{formula}_inference.yml").write_text(json.dumps(_tokenizer()))  # JSON is YAML
    x0, y0, x1, y1 = TABLE_BOX
    shape = ((y1 - y0) * page[1]) / ((x1 - x0) * page[0])
    onnx.save(_structure_model(shape), tables / "slanet-plus.onnx")
    wireless = np.array([[0.02, 0.98]], np.float32)
    onnx.save(
        _constant("x", (3, 224, 224), {"kinds": wireless}), tables / "PP-LCNet_x1_0_table_cls.onnx"
    )
    unused = np.zeros((1, 1, 8, 8), np.float32)  # for tables with rules, which this is not
    onnx.save(_constant("img", (3, 1024, 1024), {"lines": unused}), tables / "unet.onnx")
    return folder


def _formula_model() -> onnx.ModelProto:
    first = len(_SPECIAL)
    ids = [0, *range(first, first + len(LATEX)), 2]
    return _constant("image", (1, 384, 384), {"tokens": np.array([ids], np.int64)})


def _tokenizer() -> dict[str, Any]:
    vocabulary = {word: number for number, word in enumerate((*_SPECIAL, *LATEX))}
    added = [
        {
            "id": number,
            "content": word,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, word in enumerate(_SPECIAL)
    ]
    parts = ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    file = {"version": "1.0", "added_tokens": added, "model": model, **dict.fromkeys(parts)}
    return {"PostProcess": {"character_dict": {"fast_tokenizer_file": file}}}


def _structure_model(shape: float) -> onnx.ModelProto:
    """Two rows of two cells, each a quarter of a table whose height is so many widths.

    Places are in fractions of the square around the table's picture.
    """
    side = max(1.0, shape)
    width, height = 1 / side, shape / side
    known = ("sos", *_MARKUP, "eos")
    probabilities = np.zeros((1, len(_STRUCTURE), len(known)), np.float32)
    places = np.zeros((1, len(_STRUCTURE), 8), np.float32)
    cells = 0
    for step, word in enumerate(_STRUCTURE):
        probabilities[0, step, known.index(word)] = 1.0
        if word == "<td></td>":
            left, top = cells % 2 * width / 2, cells // 2 * height / 2
            right, bottom = left + width / 2, top + height / 2
            places[0, step] = (left, top, right, top, right, bottom, left, bottom)
            cells += 1
    model = _constant("x", (3, 488, 488), {"places": places, "structure": probabilities})
    model.metadata_props.add(key="character", value="\n".join(_MARKUP))
    return model


def _constant(name: str, taken: Sequence[int], said: dict[str, Any]) -> onnx.ModelProto:
    """Says the same of each picture: `said` has a batch of one for each output."""
    initializers = [numpy_helper.from_array(np.array([0]), "first")]
    nodes = [
        helper.make_node("Shape", [name], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["batch"], axis=0),
    ]
    outputs = []
    for made, value in said.items():
        rest = numpy_helper.from_array(np.array(value.shape[1:]), f"{made}_rest")
        initializers += [numpy_helper.from_array(value, f"{made}_value"), rest]
        nodes += [
            helper.make_node("Concat", ["batch", f"{made}_rest"], [f"{made}_shape"], axis=0),
            helper.make_node("Expand", [f"{made}_value", f"{made}_shape"], [made]),
        ]
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        outputs.append(helper.make_tensor_value_info(made, kind, ["B", *value.shape[1:]]))
    given = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", *taken])
    graph = helper.make_graph(nodes, "constant", [given], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
