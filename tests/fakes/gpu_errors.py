"""What CUDA, its libraries and Triton raise when memory is used up, and a context that is lost."""

import pytest
import torch

FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
SHORTAGES = (
    FULL,
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported late."),
    RuntimeError("Triton Error [CUDA]: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
    MemoryError(),  # it says nothing at all
)


def lose_context(patch: pytest.MonkeyPatch) -> None:
    """Torch says that a GPU is in use; nothing on it works any more."""

    def fail(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    patch.setattr(torch.cuda, "is_initialized", lambda: True)
    patch.setattr(torch.cuda, "synchronize", fail)
