"""Matrix products."""

from __future__ import annotations

import math

import numpy as np

from minilm.ops.op import Op, Sample, op, real, shape_of
from minilm.ops.reduce import sum_to
from minilm.ops.shape import reshape, transpose


def swap_last(x):
    """The matrices of a batch, each transposed."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@op
class matmul(Op):
    r"""The matrix product of the last two axes, with the leading axes broadcast.

    Shapes: ``(..., n, k) @ (..., k, m) -> (..., n, m)``; a vector on the left is a row ``(k,) @ (k, m) -> (m,)``, one on the
    right a column ``(n, k) @ (k,) -> (n,)``, and two vectors give their scalar product.

    Raises:
        ValueError: an input is a scalar, the inner sizes differ, or the leading axes do not broadcast.
    """

    formula = r"Y = A B"
    derivative = r"\bar A = \bar Y B^\top, \quad \bar B = A^\top \bar Y"
    samples = [
        Sample(real(2, 3), real(3, 4)), Sample(real(3), real(3, 4)), Sample(real(2, 3), real(3)), Sample(real(3), real(3)),
        Sample(real(2, 2, 3), real(2, 3, 2)), Sample(real(2, 2, 3), real(3, 4)), Sample(real(2, 1, 2, 3), real(3, 3, 2)),
        Sample(real(2, 3), real(2, 3, 2)), Sample(real(3), real(2, 3, 2)), Sample(real(2, 2, 3), real(3)),
        Sample(real(0, 3), real(3, 2)), Sample(real(2, 0), real(0, 2)), Sample(real(2, 3, 2, 2), real(2, 2)),
    ]  # fmt: skip

    def check(self, a, b):
        left, right = shape_of(a), shape_of(b)
        if not left or not right:
            raise ValueError(f"matmul: {left} @ {right}: both need at least one axis; use * to multiply by a scalar.")
        inner = right[-2] if len(right) > 1 else right[0]
        if left[-1] != inner:
            hint = (
                f" Did you mean the second one transposed, {right[-1]} x {right[-2]}?"
                if right[-1] == left[-1] and len(right) > 1
                else ""
            )
            raise ValueError(
                f"matmul: {left} @ {right}: the last axis of the first ({left[-1]}) must equal the second's {inner}.{hint}"
            )
        for m, n in zip(left[-3::-1], right[-3::-1], strict=False):
            if m != n and 1 not in (m, n):
                raise ValueError(f"matmul: {left} @ {right}: the leading axes do not broadcast ({m} against {n}).")
        return {}

    def forward(self, dev, a, b):
        return dev.matmul(a, b)

    def grad_a(self, g, _y, _a, b):
        rows, columns = as_row(_a.shape), as_column(shape_of(b))
        product = matmul(as_product(g, rows, columns), swap_last(fit(b, columns)))
        return fit(sum_to(product, rows), _a.shape)

    def grad_b(self, g, _y, a, _b):
        rows, columns = as_row(shape_of(a)), as_column(_b.shape)
        a, g = fit(a, rows), as_product(g, rows, columns)
        if len(columns) == 2:  # one matrix for the whole batch: its gradient is one flat product
            count = math.prod(rows[:-1])
            a, g = fit(a, (count, rows[-1])), fit(g, (count, columns[-1]))
        return fit(sum_to(matmul(swap_last(a), g), columns), _b.shape)


def as_row(shape):
    """The shape of a left factor as matrices: a vector is one row."""
    return shape if len(shape) > 1 else (1, *shape)


def as_column(shape):
    """The shape of a right factor as matrices: a vector is one column."""
    return shape if len(shape) > 1 else (*shape, 1)


def as_product(g, rows, columns):
    """The gradient of a product, given the axes of size 1 that a vector factor takes from it."""
    batch = np.broadcast_shapes(rows[:-2], columns[:-2])
    return fit(g, (*batch, rows[-2], columns[-1]))


def fit(x, shape):
    """`reshape`, where there is something to do."""
    return x if shape_of(x) == shape else reshape(x, shape)
