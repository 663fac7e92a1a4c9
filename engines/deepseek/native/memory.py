"""How much memory of a GPU can be had, and what is said where it is too little."""

import torch

from shared.errors import OutsideFailed


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a GPU, below the share that this process may have."""
    free, total = torch.cuda.mem_get_info(device)
    index = torch.cuda.current_device() if device.index is None else device.index
    share = torch.cuda.get_per_process_memory_fraction(index)
    taken = torch.cuda.memory_reserved(device)
    cached = taken - torch.cuda.memory_allocated(device)
    return int(min(free + cached, total * share - taken + cached))


def no_memory(detail: str) -> OutsideFailed:
    """The failure, with what to do."""
    return OutsideFailed(
        f"The GPU has too little memory ({detail[:200]}): free it, or use another GPU "
        "(deepseek:gpuN).",
        code="out_of_memory",
    )
