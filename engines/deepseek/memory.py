"""Memory that runs out while pages are read: told from other errors, given back."""

import gc
import logging
import re

from shared.errors import OutsideFailed

log = logging.getLogger(__name__)

# What the CUDA runtime, Triton, torch's allocator of the CPU, cuBLAS, cuDNN and oneDNN say in a
# plain RuntimeError. A library whose handle finds no memory says that it is not initialized.
_USED_UP = re.compile(
    r"out of memory|not enough memory|can't allocate memory|ALLOC_FAILED|ALLOCATION_FAILED"
    r"|STATUS_NOT_INITIALIZED|could not (create|execute) a primitive$"
)


def ran_out(error: BaseException) -> bool:
    """Whether the error says that memory, of the device or of the host, is used up."""
    import torch  # noqa: PLC0415 - heavy, and optional

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_USED_UP.search(str(error).strip()))


def free_memory() -> None:
    """Give back what nothing refers to any more. OutsideFailed: the GPU is lost to this process."""
    import torch  # noqa: PLC0415 - heavy, and optional

    gc.collect()
    if torch.cuda.is_initialized():
        try:
            torch.cuda.synchronize()  # an error that a kernel left behind shows here
            torch.cuda.empty_cache()
        except RuntimeError as error:
            raise gpu_failed(error) from error


def lost_gpu(error: BaseException) -> OutsideFailed | None:
    """The failure where the error means that a CUDA context works no more; None for others."""
    import torch  # noqa: PLC0415 - heavy, and optional

    if isinstance(error, torch.AcceleratorError):
        return gpu_failed(error)
    if isinstance(error, RuntimeError) and torch.cuda.is_initialized():
        try:
            torch.cuda.synchronize()
        except RuntimeError as found:
            log.warning("the GPU does not work any more: %s", found)
            return gpu_failed(error)
    return None


def gpu_failed(error: BaseException) -> OutsideFailed:
    """No page is charged with it, and `stages.recognize` has the process start anew."""
    sentence = f"The GPU failed ({error}): this process starts anew."
    return OutsideFailed(sentence[:300], code="gpu_failed")
