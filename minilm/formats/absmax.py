r"""The simplest grid: symmetric around zero, as wide as the largest number.

.. math:: s = \frac{\max_j |x_j|}{2^{b-1} - 1}, \qquad q_j = \operatorname{round}\!\left(\frac{x_j}{s}\right), \qquad
    |x_j - s q_j| \le \frac{s}{2}

One large number makes the steps of all others coarse, so a scale is shared by few: by a row, or by a group of a row. Files share one
among 32 (`minilm.formats.blocks`).

Source: Dettmers et al. (2022), *LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale*, arXiv:2208.07339, section 2.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


def absmax(x: ArrayLike, bits: int = 8) -> tuple[NDArray[np.int8], Floats]:
    """Integers of `bits` bits and their scales: (..., n) -> (..., n) of int8, and (...).

    The last axis shares a scale; reshape for smaller groups: ``absmax(w.reshape(rows, -1, 32), 4)``. What is all zeros, or so small
    that its steps have no inverse in float32, becomes zeros.

    Args:
        x: numbers, taken as float32.
        bits: 2 to 8. The integers go from -(2^(bits-1) - 1) to 2^(bits-1) - 1.

    Raises:
        ValueError: another number of bits, a number alone, or one that is NaN or infinite.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"absmax: bits must be 2 to 8, got {bits}.")
    numbers = np.asarray(x, np.float32)
    if numbers.ndim == 0:
        raise ValueError("absmax: expected an array (..., n), whose last axis shares a scale; got a number alone.")
    last = 2 ** (bits - 1) - 1
    largest = np.maximum(numbers.max(axis=-1, initial=0.0), -numbers.min(axis=-1, initial=0.0))
    if not np.isfinite(largest).all():
        raise ValueError(f"int{bits} storage takes finite weights; one is NaN or infinite.")
    least = last * np.finfo(np.float32).tiny
    steps = np.where(largest > least, last / np.maximum(largest, least), 0.0).astype(np.float32)
    return np.rint(numbers * steps[..., None]).astype(np.int8), (largest / last).astype(np.float32)


__all__ = ["absmax"]
