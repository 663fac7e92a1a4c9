"""Memory that runs out while pages are read: told from other errors, given back."""

import gc
import re

# What torch's allocator of the CPU, cuBLAS, cuDNN and oneDNN say in a plain RuntimeError.
_USED_UP = re.compile(
    r"not enough memory|can't allocate memory|ALLOC_FAILED|could not (create|execute) a primitive$"
)


def ran_out(error: BaseException) -> bool:
    """Whether the error says that memory, of the device or of the host, is used up."""
    import torch  # noqa: PLC0415 - heavy, and optional

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_USED_UP.search(str(error).strip()))


def free_memory() -> None:
    """Give back what nothing refers to any more."""
    import torch  # noqa: PLC0415 - heavy, and optional

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
