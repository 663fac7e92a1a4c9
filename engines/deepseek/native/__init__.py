"""The native runtime: many pages at once on one GPU, in plain PyTorch with a few Triton kernels.

Only `native_runtime` is for others. Modules that need neither torch nor Triton say what is decided
(`block_pool`, `scheduler`, `loops`, `sizes`); the others do it. `operations_torch` has every kernel
once more in plain PyTorch: the oracle of the tests, and what runs without Triton.
"""
