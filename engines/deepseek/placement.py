"""Where a model runs and in which precision, and how many pages fit there at once."""

from dataclasses import dataclass
from typing import Any

from shared.errors import OutsideFailed

CPU_BATCH = 2  # more pages at once are hardly faster there, and each waits for all
MOST_PAGES = 64  # beyond it, steps in which few rows are left cost more than a full batch saves
TYPICAL_TOKENS = 3000  # of a page with its image: a batch that is longer is met when it comes
_SHARE_FOR_PAGES = 0.7  # of the memory that the weights leave; the rest is for activations


@dataclass(frozen=True, slots=True)
class Placement:
    """A torch device, its name for people, and a torch dtype's name."""

    device: str
    device_name: str
    dtype: str


def gpu_is_there() -> bool:
    """Whether torch is installed and sees a GPU."""
    try:
        import torch  # noqa: PLC0415 - heavy, and optional
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def gpu_uuid() -> str:
    """Which card this process sees as its first, as `nvidia-smi -L` names it; "" without one."""
    import torch  # noqa: PLC0415 - heavy, and optional

    if not torch.cuda.is_available():
        return ""
    return f"GPU-{torch.cuda.get_device_properties(0).uuid}"


def place(device: str, dtype: str) -> Placement:
    """Choose for `auto`: the first GPU in bf16, or the CPU in fp32.

    OutsideFailed when a GPU is asked for and there is none, or torch is not installed.
    """
    try:
        import torch  # noqa: PLC0415 - heavy, and optional
    except ImportError as error:
        raise OutsideFailed(
            "torch is not installed: pip install 'quire[deepseek]' in this engine's environment.",
            code="not_installed",
        ) from error
    there = torch.cuda.is_available()
    if device == "gpu" and not there:
        raise OutsideFailed(
            "No GPU: torch sees none. Look at nvidia-smi and CUDA_VISIBLE_DEVICES, install a torch "
            "built for CUDA, or set QUIRE_DEEPSEEK_DEVICE=cpu.",
            code="no_gpu",
        )
    if device == "cpu" or not there:
        return Placement("cpu", "CPU", {"auto": "float32"}.get(dtype, _torch_name(dtype)))
    # a plan per batch and length costs cuDNN's attention 36 ms a step
    torch.backends.cuda.enable_cudnn_sdp(False)
    name = torch.cuda.get_device_name(0)
    return Placement("cuda", name, {"auto": "bfloat16"}.get(dtype, _torch_name(dtype)))


def pages_that_fit(loaded: Any) -> int:
    """How many pages of usual length the memory that is left holds at once."""
    import torch  # noqa: PLC0415 - heavy, and optional

    if loaded.device.type == "cpu":
        return CPU_BATCH
    free, _ = torch.cuda.mem_get_info(loaded.device)
    text = loaded.model.config.text_config
    per_token = 2 * text.num_hidden_layers * text.hidden_size * loaded.dtype.itemsize
    # each step writes the remembered keys and values anew beside the old ones
    fitting = _SHARE_FOR_PAGES * free / (1.2 * per_token * TYPICAL_TOKENS)
    return max(1, min(MOST_PAGES, int(fitting)))


def _torch_name(dtype: str) -> str:
    return {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}.get(dtype, dtype)
