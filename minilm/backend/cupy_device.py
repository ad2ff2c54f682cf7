"""One NVIDIA GPU through CuPy. Imported only once `minilm.backend.detect` has found one that computes."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from minilm.backend.accelerator import Accelerator
from minilm.backend.cublas import cupy_products
from minilm.backend.device import Array


class CupyDevice(Accelerator):
    """The first GPU; ``CUDA_VISIBLE_DEVICES`` chooses which that is."""

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
        """By `minilm.backend.cublas`; by CuPy's own ``a @ b`` where this CuPy lacks what that needs."""
        if self._products is None:
            return super().product(a, b, out, alpha)
        return self._products(a, b, out, alpha)
