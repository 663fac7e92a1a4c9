"""Triton kernels. `operations_triton` launches them and says which shapes they take."""
