"""Stand-ins for MinerU's weights: RapidOCR's models under its names, and a layout that is fixed.

With them the real code of flash and basic reads scans. No product path depends on this.
"""

from importlib import resources
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REPOSITORY = "MinerU-4_models_onnx"
DOC_TITLE, IMAGE, TEXT = 6, 14, 22  # classes of PP-DocLayoutV2
# class, score, box in fractions of the page
Regions = tuple[tuple[int, float, float, float, float, float], ...]
REGIONS: Regions = (
    (DOC_TITLE, 0.95, 0.05, 0.03, 0.95, 0.12),
    (TEXT, 0.95, 0.05, 0.13, 0.95, 0.50),
    (TEXT, 0.95, 0.05, 0.51, 0.95, 0.95),
)
_SIDE = 800  # of the image that the layout model is given
_OCR = {
    "ch_PP-OCRv6_tiny_det_infer.onnx": "PP-OCRv6_det_small.onnx",
    "ch_PP-OCRv6_small_rec_infer.onnx": "PP-OCRv6_rec_small.onnx",
}


def make_weights(folder: Path, regions: Regions = REGIONS) -> Path:
    """Put what flash needs for scans there; the folder."""
    ocr = folder / REPOSITORY / "OCR" / "paddleocr"
    layout = folder / REPOSITORY / "Layout" / "PP-DocLayoutV2"
    for made in (ocr, layout):
        made.mkdir(parents=True, exist_ok=True)
    models = Path(str(resources.files("rapidocr"))) / "models"
    for name, source in _OCR.items():
        if not (ocr / name).exists():
            (ocr / name).symlink_to(models / source)
    onnx.save(layout_model(regions), str(layout / "inference.onnx"))
    (layout / "inference.yml").write_text(
        f"Preprocess:\n- type: Resize\n  target_size: [{_SIDE}, {_SIDE}]\n  interp: 2\n"
    )
    return folder


def layout_model(regions: Regions) -> onnx.ModelProto:
    """PP-DocLayoutV2's inputs and outputs; always finds these regions, in order.

    image [B,3,800,800], im_shape [B,2], scale_factor [B,2] to boxes [B*R,8] (class, score, x0, y0,
    x1, y1 in pixels of the page, two keys of the reading order) and counts [B].
    """
    count = len(regions)
    values = {
        "fractions": np.array([[region[2:] for region in regions]], np.float32),
        "heads": np.array([region[:2] for region in regions], np.float32),
        "orders": np.array([[n + 1, 0] for n in range(count)], np.float32),
        "swapped": np.array([1, 0, 1, 0]),
        "axis": np.array([1]),
        "first": np.array([0]),
        "pairs": np.array([count, 2]),
        "rows": np.array([-1, 8]),
        "count": np.array(count),
    }
    steps = [
        (["im_shape", "scale_factor"], "size", "Div", {}),  # height and width of the page
        (["size", "swapped"], "edges", "Gather", {"axis": 1}),
        (["edges", "axis"], "edge_rows", "Unsqueeze", {}),
        (["edge_rows", "fractions"], "corners", "Mul", {}),
        (["image"], "shape", "Shape", {}),
        (["shape", "first"], "batch", "Gather", {"axis": 0}),
        (["batch", "pairs"], "target", "Concat", {"axis": 0}),
        (["heads", "target"], "all_heads", "Expand", {}),
        (["orders", "target"], "all_orders", "Expand", {}),
        (["all_heads", "corners", "all_orders"], "found", "Concat", {"axis": 2}),
        (["found", "rows"], "boxes", "Reshape", {}),
        (["count", "batch"], "counts64", "Expand", {}),
        (["counts64"], "counts", "Cast", {"to": TensorProto.INT32}),
    ]
    real, whole = TensorProto.FLOAT, TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(kind, taken, [made], **more) for taken, made, kind, more in steps],
        "layout",
        [
            helper.make_tensor_value_info("im_shape", real, ["B", 2]),
            helper.make_tensor_value_info("image", real, ["B", 3, _SIDE, _SIDE]),
            helper.make_tensor_value_info("scale_factor", real, ["B", 2]),
        ],
        [
            helper.make_tensor_value_info("boxes", real, ["N", 8]),
            helper.make_tensor_value_info("counts", whole, ["B"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
