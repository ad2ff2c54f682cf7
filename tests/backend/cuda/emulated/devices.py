"""The CUDA device's class on the stand-in's arrays, with kernels that the CPU runs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from minilm.backend.cuda.row_kernels import RowKernels
from tests.backend import pretend
from tests.backend.cuda.emulated.emulator import RawModule


class Namespace(pretend.Namespace):
    """The stand-in's array module with ``RawModule``, and with NaN in new memory: what a kernel forgets to write shows."""

    RawModule = RawModule

    def empty(self, shape: Any, dtype: Any) -> pretend.Array:
        array = np.empty(shape, dtype)
        array.view(np.uint8 if array.ndim else dtype)[...] = 0xFF if array.ndim else np.nan
        return pretend.Array(array)


class EmulatedDevice(pretend.PretendDevice):
    """The functions of `RowKernels` as a GPU has them: their launches compute. Products are those of `PretendDevice`."""

    def __init__(self) -> None:
        super().__init__()
        self.xp = Namespace()


for _name in ("_launch", *pretend.FUSED):
    setattr(EmulatedDevice, _name, getattr(RowKernels, _name))


@functools.cache
def device() -> EmulatedDevice:
    """The device that tests share: its kernels are compiled once."""
    return EmulatedDevice()
