"""Which of MinerU's tiers this machine can run, told from files and packages."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.mineru.capabilities import ADVANCED, BASIC, FLASH, STANDARD, TIERS
from shared.settings import Settings

ONNX, TORCH = "MinerU-4_models_onnx", "MinerU-4_models_torch"
_OCR, _LAYOUT = "OCR/paddleocr", "Layout/PP-DocLayoutV2"
_FORMULAS = "MFR/pp_formulanet_plus_m/PP-FormulaNet_plus-M"
_TABLES = tuple(f"Table/{n}.onnx" for n in ("slanet-plus", "unet", "PP-LCNet_x1_0_table_cls"))
# What is read for scans (every tier but flash on sound text needs it), and what basic adds.
_SCANS = {
    ONNX: (
        f"{_OCR}/ch_PP-OCRv6_tiny_det_infer.onnx",
        f"{_OCR}/ch_PP-OCRv6_small_rec_infer.onnx",
        f"{_LAYOUT}/inference.onnx",
        f"{_LAYOUT}/inference.yml",
    ),
    TORCH: (_OCR, _LAYOUT),
}
_BASIC = {
    ONNX: (f"{_FORMULAS}.onnx", f"{_FORMULAS}_inference.yml", *_TABLES),
    TORCH: (f"{_FORMULAS}.pth", f"{_FORMULAS}_inference.yml", *_TABLES),
}
_VLM = {
    "llama-cpp": ("MinerU2.5-Pro-2605-1.2B-GGUF", ("mineru_llama_cpp",)),
    "vllm": ("MinerU2.5-Pro-2605-1.2B", ("vllm",)),
    "lmdeploy": ("MinerU2.5-Pro-2605-1.2B", ("lmdeploy",)),
}
_TORCH_PACKAGES = ("torch", "torchvision", "transformers", "accelerate", "safetensors")


@dataclass(frozen=True, slots=True)
class Installed:
    """What is here. `lacks` says by tier what it lacks beside what scans do; "" for nothing.

    flash always runs on sound text layers; `lacks["flash"]` tells what it lacks for scans.
    """

    small_models: str
    vlm: str
    lacks: dict[str, str]
    gpu: bool

    @property
    def missing(self) -> dict[str, str]:
        """By tier all that it lacks; "" for one that runs."""
        scans = self.lacks[FLASH]
        return {
            tier: " ".join(dict.fromkeys(text for text in (scans, own) if text))
            for tier, own in self.lacks.items()
        }

    @property
    def default_tier(self) -> str:
        """The best that is here; a VLM in this process counts only with a GPU."""
        if not self.missing[STANDARD] and (self.gpu or self.vlm == "server"):
            return STANDARD
        return BASIC if not self.missing[BASIC] else FLASH

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that have all they need."""
        return tuple(tier for tier in TIERS if tier == FLASH or not self.missing[tier])


def look(
    settings: Settings, weights: Path, *, gpu: bool, has: Callable[[str], bool] | None = None
) -> Installed:
    """Look at the weights folder and at this interpreter's packages (`has`)."""
    has = has or _has_package
    use_torch = settings.mineru_small_models == "torch" or (
        settings.mineru_small_models == "auto" and gpu and all(map(has, _TORCH_PACKAGES))
    )
    small = TORCH if use_torch else ONNX
    packages = [name for name in _TORCH_PACKAGES if use_torch and not has(name)]
    scans = _lack(weights, small, _SCANS[small]) or _lack_packages(packages, "mineru[torch]")
    vlm, lacks_vlm = _vlm(settings, weights, gpu=gpu, has=has)
    lacks = {FLASH: scans, BASIC: _lack(weights, small, _BASIC[small])}
    lacks |= dict.fromkeys((STANDARD, ADVANCED), lacks_vlm)
    return Installed("torch" if use_torch else "onnx", vlm, lacks, gpu)


def _vlm(
    settings: Settings, weights: Path, *, gpu: bool, has: Callable[[str], bool]
) -> tuple[str, str]:
    """The VLM's engine ("server" beyond this process), and what it lacks."""
    if settings.mineru_vlm_url:
        return "server", ""
    engine = settings.mineru_vlm_engine
    if engine == "auto":
        local = [name for name in ("vllm", "lmdeploy") if gpu and has(name)]
        engine = local[0] if local else "llama-cpp"
    repository, packages = _VLM[engine]
    absent = _lack_packages([name for name in packages if not has(name)], "mineru[full]")
    lacks = (absent, _lack(weights, repository, ("",)))
    return engine, " ".join(text for text in lacks if text)


def _lack(weights: Path, repository: str, paths: tuple[str, ...]) -> str:
    folder = weights / repository
    absent = [path for path in paths if not _is_there(folder / path)]
    if not absent:
        return ""
    what = f"{folder} is missing" if not folder.is_dir() else f"{folder} lacks {absent[0]}"
    more = f" and {len(absent) - 1} more" if folder.is_dir() and len(absent) > 1 else ""
    return (
        f"Weights are missing: {what}{more}. Get them with `mineru-kit models download "
        f"{repository}` of the engine's environment, or name their folder in QUIRE_MINERU_MODELS."
    )


def _lack_packages(names: list[str], extra: str) -> str:
    if not names:
        return ""
    shown = ", ".join(names)
    return f"Packages are missing: {shown}. Install {extra} in the engine's environment."


def _is_there(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _has_package(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
