"""A small matrix in print, with words before its rows and above its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minilm.tensor import Tensor
from minilm.types import HostArray


def labeled(values: Tensor | HostArray, rows: Sequence[str], columns: Sequence[str], digits: int = 2) -> str:
    """The matrix as text: a line per row.

    Args:
        values: ``(rows, columns)``. Minus infinity is printed as such, a zero as a dot, so that the others are seen.
        rows, columns: what stands at the two axes.
        digits: after the point; 0 for whole numbers.

    Raises:
        ValueError: the words do not fit the axes.
    """
    array = np.asarray(values.numpy() if isinstance(values, Tensor) else values, np.float64)
    if array.shape != (len(rows), len(columns)):
        raise ValueError(f"labeled: shape {array.shape} has other axes than {len(rows)} and {len(columns)} words.")
    cells = [[_cell(value, digits) for value in row] for row in array]
    widths = [max(len(name), *(len(row[j]) for row in cells)) for j, name in enumerate(columns)]
    left = max(map(len, rows))
    lines = [[name.rjust(width) for name, width in zip(columns, widths, strict=True)]]
    lines += [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    return "\n".join(" ".join([name.ljust(left), *line]) for name, line in zip(["", *rows], lines, strict=True))


def _cell(value: float, digits: int) -> str:
    if np.isneginf(value):
        return "-inf"
    text = f"{value:.{digits}f}"
    return "." if float(text) == 0 else text


__all__ = ["labeled"]
