"""One NVIDIA GPU through CuPy. Imported only once `minilm.backend.detect` has found one that computes."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from minilm.backend.accelerator import Accelerator
from minilm.backend.device import Array


class CupyDevice(Accelerator):
    """The first GPU; ``CUDA_VISIBLE_DEVICES`` chooses which that is.

    Its functions are those of `minilm.backend.kernels`, run on CuPy's arrays. Of these, `Kernels.matmul` matters more here
    than on the CPU: CuPy's own way to multiply a batch by one matrix is a list of small products.
    """

    def __init__(self) -> None:
        super().__init__("cuda", cupy, cupy.ndarray)

    def from_host(self, array: np.ndarray[Any, Any]) -> Array:
        return cupy.asarray(array)

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """Waits for the work that makes `array`, and copies it."""
        return cupy.asnumpy(array)

    def synchronize(self) -> None:
        cupy.cuda.get_current_stream().synchronize()
