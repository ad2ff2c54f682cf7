"""A device: an array module (NumPy, or CuPy on one GPU) with the kernels that run on its arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.backend.cpu import Kernels
from minilm.backend.threads import can_limit_blas, pool
from minilm.types import Array

SMALL_PRODUCT = 1 << 13  # multiplications; up to here OpenBLAS itself takes one thread, for matrices and vectors
LARGE_PRODUCT = 1 << 22  # from here half a product takes longer than to wake a thread
HEAD_START = 1 << 21  # multiplications that one thread does while another wakes up, in some 80 microseconds
CUT = 16  # rows or columns: BLAS's kernels work on so many at once


class DeviceError(RuntimeError):
    """An array is on another device than the computation, or a device is not usable here."""


class Device(Kernels):
    """A place where arrays live and are computed on.

    Attributes:
        name: ``"cpu"`` or ``"cuda"``.
        xp: the array module, used exactly as NumPy is.
        array_type: the class of this device's arrays.
        waits_to_look: whether to look at an array's numbers means to wait for the device: checks of inputs are then left out.
    """

    waits_to_look = False

    def __init__(self, name: str, xp: Any, array_type: type) -> None:
        self.name, self.xp, self.array_type = name, xp, array_type

    def __repr__(self) -> str:
        return f"device('{self.name}')"

    def __eq__(self, other: object) -> bool:
        return self.name == (other.name if isinstance(other, Device) else other)

    def __hash__(self) -> int:
        return hash(self.name)

    def from_host(self, array: np.ndarray[Any, Any]) -> Array:
        """This device's copy of a NumPy array (the array itself, where the device is the CPU)."""
        return array

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """The NumPy array with the numbers of one of this device's arrays."""
        return array

    def owns(self, array: object) -> bool:
        """Whether `array` lives on this device."""
        return isinstance(array, self.array_type)

    def synchronize(self) -> None:
        """Waits until all work given to the device is done. The CPU has always just done it."""


class CpuDevice(Device):
    """The processor: NumPy, on several threads of our own."""

    def __init__(self) -> None:
        super().__init__("cpu", np, np.ndarray)

    def multiply(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """As in `Kernels`, on one thread of BLAS."""
        return pool.on_one(np.matmul, a, b, out) if a.size * b.shape[-1] > SMALL_PRODUCT else np.matmul(a, b, out)

    def matmul(self, a: Array, b: Array) -> Array:
        """A product on one thread of BLAS; a large one in parts on the pool's threads (`minilm.backend.threads` says why)."""
        if a.size * b.shape[-1] < LARGE_PRODUCT or pool.threads < 2 or a.dtype != b.dtype or not can_limit_blas():
            return super().matmul(a, b)
        if b.ndim == 2 and a.ndim > 1:
            rows = a.reshape(-1, a.shape[-1])
            out = np.empty((len(rows), b.shape[1]), a.dtype)
            pool.run(np.matmul, _parts(rows, b, out, pool.threads, HEAD_START))
            return out.reshape(*a.shape[:-1], b.shape[1])
        if a.ndim == b.ndim > 2 and a.shape[:-2] == b.shape[:-2]:
            out = np.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
            cuts = [slice(i * len(a) // pool.threads, (i + 1) * len(a) // pool.threads) for i in range(pool.threads)]
            pool.run(np.matmul, [(a[cut], b[cut], out[cut]) for cut in cuts if cut.start < cut.stop])
            return out
        return super().matmul(a, b)

    def products(self, *pairs: tuple[Array, Array]) -> list[Array]:
        """Large products that do not wait for each other are one part each: the pool's threads are woken once for all."""
        large = all(
            a.ndim == b.ndim == 2 and a.dtype == b.dtype and 2 * a.size * b.shape[1] >= LARGE_PRODUCT for a, b in pairs
        )
        if len(pairs) < 2 or not large or pool.threads < 2 or not can_limit_blas():
            return super().products(*pairs)
        outs = [np.empty((len(a), b.shape[1]), a.dtype) for a, b in pairs]
        parts = [(a, b, out) for (a, b), out in zip(pairs, outs, strict=True)]
        pool.run(np.matmul, [*parts[:-1], *reversed(_parts(*parts[-1], 1, HEAD_START // 2))])
        return outs

    def run(self, function: Callable[..., Any], blocks: Sequence[tuple[Any, ...]]) -> None:
        """Threads pay for long arrays. What is no array (a list of places in one) says nothing of its length: it counts as long."""
        if len(blocks) > 1 and max(getattr(a, "size", math.inf) for a in blocks[0] if a is not None) > self.block_size:
            pool.run(function, blocks)
        else:
            super().run(function, blocks)


def _parts(a: Array, b: Array, out: Array, count: int, ahead: int) -> list[tuple[Array, Array, Array]]:
    """The product of two matrices cut along the longer side of its result: each part's factors, and its place.

    `ahead` multiplications come on top of the first of `count` equal parts; of one part they are cut off as a first.
    """
    m, n = out.shape
    long = max(m, n)
    first = min(ahead * long // (a.size * n), long // 2)
    ends = [
        0,
        *((first + i * (long - first) // count) // CUT * CUT for i in range(0 if count == 1 else 1, count)),
        long,
    ]
    cuts = [slice(start, end) for start, end in itertools.pairwise(ends) if start < end]
    if m >= n:
        return [(a[cut], b, out[cut]) for cut in cuts]
    return [(a, b[:, cut], out[:, cut]) for cut in cuts]
