"""More images from few: the same image, a little aside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def shifted(images: NDArray[Any], most: int, rng: np.random.Generator) -> NDArray[Any]:
    """Each image moved by its own whole number of pixels, from -most to most, down and to the right; 0 comes in at the border.

    Args:
        images: (n, height, width).
        most: pixels, at least 0 and less than the height and the width.

    Raises:
        ValueError: the images have not three axes, or `most` is out of its range.
    """
    if images.ndim != 3:
        raise ValueError(f"expected images of shape (n, height, width), got {images.shape}.")
    n, height, width = images.shape
    if not isinstance(most, int) or not 0 <= most < min(height, width):
        raise ValueError(f"most is a number of pixels, from 0 to {min(height, width) - 1}, got {most!r}.")
    padded = np.pad(images, ((0, 0), (most, most), (most, most)))
    down, right = rng.integers(0, 2 * most + 1, (2, n))
    rows = down[:, None, None] + np.arange(height)[:, None]
    columns = right[:, None, None] + np.arange(width)
    return padded[np.arange(n)[:, None, None], rows, columns]


__all__ = ["shifted"]
