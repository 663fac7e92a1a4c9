"""Checkpoints of all three families are found, told apart, loaded and prompted."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.deepseek.checkpoint import find_checkpoint
from engines.deepseek.loading import LoadedModel, load_model
from engines.deepseek.prompt import prepare
from engines.deepseek.runtime import Request
from shared.errors import OutsideFailed, PageFailed
from tests.fakes.deepseek_models import IMAGE


def _request(width: int, height: int, **changes: object) -> Request:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    values = {"prompt": "<image>\nFree OCR.", **changes}
    return Request("page", pixels.tobytes(), width, height, **values)


@pytest.mark.parametrize("family", ["deepseek-ocr", "deepseek-ocr-2", "unlimited-ocr"])
@pytest.mark.parametrize("size", [(200, 300), (900, 700)])
def test_each_family_takes_what_is_prepared(
    loaded: dict[str, LoadedModel], family: str, size: tuple[int, int]
) -> None:
    model = loaded[family]
    assert model.checkpoint.family.name == family
    page = prepare(_request(*size), model)
    extra = {}
    if model.checkpoint.family.newline_tokens:
        extra["patches_grid"] = [[page.plan.columns, page.plan.rows]]
    with torch.inference_mode():
        # raises when the places for the image are not as many as its features
        logits = model.model(
            input_ids=torch.tensor([page.ids]),
            pixel_values=page.views.view[None],
            pixel_values_local=page.views.tiles,
            num_local_patches=[page.plan.tiles],
            logits_to_keep=1,
            **extra,
        ).logits
    assert torch.isfinite(logits).all()
    assert page.ids.count(IMAGE) == page.plan.tokens
    assert model.decode(page.ids[-9:]) == "Free OCR."


def test_the_original_config_of_v1_is_enough(models: dict[str, Path], tmp_path: Path) -> None:
    source = models["deepseek-ocr"]
    native = json.loads((source / "config.json").read_text())
    language = {key: value for key, value in native["text_config"].items() if key != "layer_types"}
    language |= {"first_k_dense_replace": 1, "use_mla": False, "v_head_dim": 0}
    original = {
        "model_type": "deepseek_vl_v2",
        "architectures": ["DeepseekOCRForCausalLM"],
        "auto_map": {"AutoModel": "modeling_deepseekocr.DeepseekOCRForCausalLM"},
        "language_config": language,
    }
    shutil.copytree(source, tmp_path / "v1")
    (tmp_path / "v1" / "config.json").write_text(json.dumps(original))
    checkpoint = find_checkpoint(str(tmp_path / "v1"))
    assert checkpoint.family.name == "deepseek-ocr"
    config = checkpoint.native_config()
    assert config["image_token_id"] == 128815
    text = config["text_config"]
    assert text["layer_types"] == ["full_attention"] * 2
    assert text["mlp_layer_types"] == ["dense", "sparse"]
    assert "v_head_dim" not in text
    assert "use_mla" not in text


def _copy(models: dict[str, Path], target: Path) -> Path:
    return Path(shutil.copytree(models["deepseek-ocr-2"], target))


def test_what_is_missing_is_said(models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(OutsideFailed, match="QUIRE_DEEPSEEK_MODEL"):
        find_checkpoint("")
    with pytest.raises(OutsideFailed, match="There is no directory"):
        find_checkpoint(str(tmp_path / "none"))
    with pytest.raises(OutsideFailed, match=r"config\.json"):
        find_checkpoint(str(tmp_path))

    other = _copy(models, tmp_path / "other")
    (other / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(OutsideFailed, match="holds another model"):
        find_checkpoint(str(other))

    bare = _copy(models, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    with pytest.raises(OutsideFailed, match="no weights"):
        find_checkpoint(str(bare))

    cut = _copy(models, tmp_path / "cut")
    weights = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(OutsideFailed, match="cannot be loaded"):
        load_model(find_checkpoint(str(cut)), "cpu", "float32")


def test_missing_weights_are_not_made_up(models: dict[str, Path], tmp_path: Path) -> None:
    part = _copy(models, tmp_path / "part")
    tensors = load_file(part / "model.safetensors")
    tensors.pop("lm_head.weight")
    save_file(tensors, part / "model.safetensors", {"format": "pt"})
    with pytest.raises(OutsideFailed, match="lacks weights \\(1, the first is lm_head"):
        load_model(find_checkpoint(str(part)), "cpu", "float32")


def test_prompts_that_cannot_work_are_refused(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["deepseek-ocr-2"]
    with pytest.raises(PageFailed, match="exactly once"):
        prepare(_request(50, 50, prompt="no place for the page"), model)
    with pytest.raises(PageFailed, match="exactly once"):
        prepare(_request(50, 50, prompt="<image><image>"), model)
    with pytest.raises(PageFailed, match="all that the model has"):
        prepare(_request(50, 50, prompt="<image>" + "x" * 5000), model)
