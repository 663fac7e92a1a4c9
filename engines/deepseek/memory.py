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


class Memory:
    """Of one runtime. `trouble` is a sentence once the GPU is lost to this process."""

    trouble = ""

    def shortage(self, error: BaseException) -> str:
        """What the error says of memory that is used up.

        OutsideFailed (`gpu_failed`): the CUDA context works no more. Any other error is raised.
        """
        if ran_out(error):
            return str(error) or type(error).__name__
        if _lost_gpu(error):
            raise self._lose(error) from error
        raise error

    def free(self) -> None:
        """Give back what nothing refers to any more. OutsideFailed, as `shortage`."""
        import torch  # noqa: PLC0415 - heavy, and optional

        gc.collect()
        if torch.cuda.is_initialized():
            try:
                torch.cuda.synchronize()  # an error that a kernel left behind shows here
                torch.cuda.empty_cache()
            except RuntimeError as error:
                raise self._lose(error) from error

    def _lose(self, error: BaseException) -> OutsideFailed:
        """No page is charged with it, and `stages.recognize` has the process start anew."""
        self.trouble = f"The GPU failed ({error}): this process starts anew."[:300]
        return OutsideFailed(self.trouble, code="gpu_failed")


def _lost_gpu(error: BaseException) -> bool:
    import torch  # noqa: PLC0415 - heavy, and optional

    if isinstance(error, torch.AcceleratorError):
        return True
    if not isinstance(error, RuntimeError) or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError as found:
        log.warning("the GPU does not work any more: %s", found)
        return True
    return False
