"""The hot functions of a device: the readable NumPy version of each, which is also its specification.

A GPU device overrides them with kernels of its own; every override is tested against the version here. They are
written for any array module: ``self.xp``, never ``np``.
"""

from __future__ import annotations

import math
from typing import Any

Array = Any


class Kernels:
    """Mixin of `Device`: functions on raw arrays, without a graph."""

    xp: Any

    def matmul(self, a: Array, b: Array) -> Array:
        """``a @ b``. A batch of row vectors times one matrix is one flat product: one call of BLAS instead of many."""
        if a.ndim > 2 and b.ndim == 2 and a.size:
            rows = a.reshape(-1, a.shape[-1])
            return self.xp.matmul(rows, b).reshape(*a.shape[:-1], b.shape[-1])
        return self.xp.matmul(a, b)

    def scatter_add(self, shape: tuple[int, ...], dtype: Any, index: Any, values: Array) -> Array:
        r"""Zeros of `shape`, to which ``out[index] += values`` adds repeated indices too (`ufunc.at`)."""
        out = self.xp.zeros(shape, dtype)
        self.xp.add.at(out, index, values)
        return out

    def sum_leading(self, x: Array) -> Array:
        """The sum over all axes but the last: a bias's gradient. A product with ones is BLAS, faster than a reduction."""
        rows = x.reshape(-1, x.shape[-1])
        if math.prod(rows.shape) == 0:
            return rows.sum(axis=0)
        return self.xp.matmul(self.xp.ones((1, rows.shape[0]), x.dtype), rows).reshape(-1)
