"""Which tiers a machine can run, from its weights, packages and GPU."""

import os

from engines.mineru.capabilities import ADVANCED, BASIC, FLASH, STANDARD
from engines.mineru.environment import Scratch, weights_folder
from engines.mineru.installed import ONNX, TORCH, look
from shared.settings import Settings

SCANS = (
    "OCR/paddleocr/ch_PP-OCRv6_tiny_det_infer.onnx",
    "OCR/paddleocr/ch_PP-OCRv6_small_rec_infer.onnx",
    "Layout/PP-DocLayoutV2/inference.onnx",
    "Layout/PP-DocLayoutV2/inference.yml",
)
MORE = (
    "MFR/pp_formulanet_plus_m/PP-FormulaNet_plus-M.onnx",
    "MFR/pp_formulanet_plus_m/PP-FormulaNet_plus-M_inference.yml",
    "Table/slanet-plus.onnx",
    "Table/unet.onnx",
    "Table/PP-LCNet_x1_0_table_cls.onnx",
)
GGUF = "MinerU2.5-Pro-2605-1.2B-GGUF"


def put(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"weights")


def seen(folder, *, gpu=False, packages=(), **settings):
    return look(Settings(**settings), folder, gpu=gpu, has=lambda name: name in packages)


def test_with_nothing_flash_reads_text_layers_and_says_what_scans_lack(tmp_path):
    here = seen(tmp_path / "none")
    assert (here.tiers, here.default_tier) == ((FLASH,), FLASH)
    assert str(tmp_path / "none" / ONNX) in here.missing[FLASH]
    assert f"mineru-kit models download {ONNX}" in here.missing[FLASH]


def test_each_tier_says_what_it_lacks_beside_the_others(tmp_path):
    put(tmp_path / ONNX, *SCANS)
    lacks = seen(tmp_path).lacks
    assert lacks[FLASH] == ""
    for tier, wanted in ((BASIC, [MORE[0], ONNX]), (ADVANCED, ["mineru_llama_cpp", GGUF])):
        assert [word for word in wanted if word not in lacks[tier]] == []
        assert "Get them with" in lacks[tier]
    assert lacks[STANDARD] == lacks[ADVANCED]


def test_the_default_is_the_best_that_is_whole(tmp_path):
    put(tmp_path / ONNX, *SCANS)
    here = seen(tmp_path)
    assert (here.default_tier, here.missing[FLASH]) == (FLASH, "")
    assert "and 4 more" in here.missing[BASIC]
    put(tmp_path / ONNX, *MORE)
    assert seen(tmp_path).default_tier == BASIC


def test_a_server_makes_standard_the_default_and_a_vlm_in_here_only_with_a_gpu(tmp_path):
    put(tmp_path / ONNX, *SCANS, *MORE)
    assert seen(tmp_path, mineru_vlm_url="http://vlm:8000").default_tier == STANDARD
    assert seen(tmp_path, packages=["mineru_llama_cpp"]).missing[STANDARD]
    put(tmp_path / GGUF, "model.gguf")
    slow = seen(tmp_path, packages=["mineru_llama_cpp"])
    assert (slow.default_tier, slow.missing[ADVANCED]) == (BASIC, "")
    assert seen(tmp_path, gpu=True, packages=["mineru_llama_cpp"]).default_tier == STANDARD


def test_torch_runs_the_small_models_where_there_is_a_gpu_and_all_it_takes(tmp_path):
    packages = ["torch", "torchvision", "transformers", "accelerate", "safetensors"]
    assert seen(tmp_path, gpu=True, packages=packages).small_models == "torch"
    assert seen(tmp_path, gpu=True, packages=packages[1:]).small_models == "onnx"
    assert seen(tmp_path, packages=packages).small_models == "onnx"
    put(tmp_path / TORCH, "OCR/paddleocr/x.pth", "Layout/PP-DocLayoutV2/model.safetensors")
    here = seen(tmp_path, mineru_small_models="torch")
    assert "torch, torchvision" in here.missing[FLASH]
    assert "mineru[torch]" in here.missing[FLASH]


def test_the_private_folder_links_the_weights_and_leaves_them_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    weights = tmp_path / "weights"
    put(weights / ONNX, *SCANS)
    settings = Settings(data=tmp_path / "data", mineru_models=str(weights))
    left = tmp_path / "data" / "scratch" / "mineru-999999999"  # of a process that is dead
    left.mkdir(parents=True)
    before = sorted(weights.rglob("*"))
    scratch = Scratch(tmp_path / "own", weights_folder(settings))
    scratch.models.mkdir(parents=True)
    scratch.link_weights()
    put(weights / "MinerU2.5", "model.safetensors")
    scratch.link_weights()
    assert (scratch.models / ONNX / SCANS[0]).read_bytes() == b"weights"
    assert (scratch.models / "MinerU2.5" / "model.safetensors").is_file()
    scratch.close()
    assert not scratch.folder.exists()
    assert set(before) <= set(weights.rglob("*"))
    assert (weights / ONNX / SCANS[0]).is_file()
