"""CUDA C for the hot functions: ``kernels.cu`` is what the GPU runs, `row_kernels` hands it arrays."""
