"""One NVIDIA GPU through CuPy. Imported only once `minilm.backend.detect` has found one that computes.

**What a CUDA graph of a whole training step would take.** Recorded once and launched as one, a step would cost no Python
and one launch; a token of generation, which is nothing but launches, would gain most. It is not done here, because none of it
can be tried without a GPU, and these obstacles have to be cleared together:

- CuPy's bindings refuse: `cupy_backends.cuda.libs.cublas` asks before each call whether its stream is being captured, and
  raises NotImplementedError (CuPy issue 6290). The calls of `cupy_products` would have to go to libcublas by ctypes:
  ``cublasSetStream_v2`` to the capturing stream, then ``cublasGemmEx`` and ``cublasGemmStridedBatchedEx`` with the arguments that
  `plan` gives.
- cuBLAS needs memory of its own, which it must not allocate while it is recorded: ``cublasSetWorkspace_v2`` with an array that
  lives as long as the graph (NVIDIA advises 32 MiB on Hopper).
- The default stream cannot be captured: the step would run within ``cupy.cuda.Stream(non_blocking=True)``.
- A graph repeats addresses. All arrays of the step would come from a pool of its own, ``cupy.cuda.MemoryPool``, made large
  enough by an uncaptured step (allocating from the driver breaks the recording off), and given to nobody else while the graph
  lives. Batches would be copied into two arrays that stay.
- A graph repeats scalars. The learning rate, Adam's step number and the keys of dropout are kernel arguments today; they would
  have to be read from a small array that is uploaded before each launch.
- Nothing may wait: a step does not (``tests/backend/cuda/test_launches.py``).
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from minilm.backend.cuda.cublas import cupy_products
from minilm.backend.cuda.row_kernels import RowKernels
from minilm.types import Array


class CupyDevice(RowKernels):
    """The first GPU; ``CUDA_VISIBLE_DEVICES`` chooses which that is. Products by cuBLAS, rows and elements by `RowKernels`."""

    def __init__(self) -> None:
        super().__init__("cuda", cupy, cupy.ndarray)
        self._products = cupy_products(cupy)

    def from_host(self, array: np.ndarray[Any, Any]) -> Array:
        return cupy.asarray(array)

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """Waits for the work that makes `array`, and copies it."""
        return cupy.asnumpy(array)

    def synchronize(self) -> None:
        cupy.cuda.get_current_stream().synchronize()

    def product(self, a: Array, b: Array, out: Array | None = None, alpha: float = 1.0) -> Array:
        """By `minilm.backend.cuda.cublas`; by CuPy's own ``a @ b`` where this CuPy lacks what that needs."""
        if self._products is None:
            return super().product(a, b, out, alpha)
        return self._products(a, b, out, alpha)
