"""cuBLAS's matrix product as its documentation defines it, on the host's memory: the yardstick for `minilm.backend.cuda.cublas`."""

import ctypes

import numpy as np


class HostCublas:
    """cublasGemmStridedBatchedEx on column-major matrices at addresses. It keeps its calls: ``(gemm, alpha, dtype)``."""

    def __init__(self):
        self.calls = []

    def __call__(self, g, alpha, first, second, result, dtype):
        self.calls.append((g, alpha, dtype))
        assert g.lda >= max(1, g.k if g.transa else g.m), "CUBLAS_STATUS_INVALID_VALUE: lda"
        assert g.ldb >= max(1, g.n if g.transb else g.k), "CUBLAS_STATUS_INVALID_VALUE: ldb"
        assert g.ldc >= max(1, g.m), "CUBLAS_STATUS_INVALID_VALUE: ldc"
        dtype = np.dtype(dtype)
        for i in range(g.batch):
            a = self.matrix(first, i * g.stridea, (g.k, g.m) if g.transa else (g.m, g.k), g.lda, dtype)
            b = self.matrix(second, i * g.strideb, (g.n, g.k) if g.transb else (g.k, g.n), g.ldb, dtype)
            c = self.matrix(result, i * g.stridec, (g.m, g.n), g.ldc, dtype)
            c[...] = alpha * ((a.T if g.transa else a) @ (b.T if g.transb else b))

    @staticmethod
    def matrix(address, offset, shape, ld, dtype):
        """The matrix that begins `offset` elements behind an address, and not one element more: what follows is another's."""
        rows, columns = shape
        count = ld * (columns - 1) + rows
        buffer = (ctypes.c_char * (count * dtype.itemsize)).from_address(address + offset * dtype.itemsize)
        flat = np.frombuffer(buffer, dtype)
        return np.lib.stride_tricks.as_strided(flat, shape, (dtype.itemsize, ld * dtype.itemsize))
