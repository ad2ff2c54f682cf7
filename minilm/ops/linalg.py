"""Matrix products: `matmul`, and `linear`, which is a product and a sum in one op.

Sums of products in Einstein's notation stand in `minilm.ops.einsum`; inverses, determinants and factors in `minilm.ops.matrix`.
"""

from __future__ import annotations

import math

from minilm.backend import device_of
from minilm.ops.arguments import shape_of
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real
from minilm.ops.shape import reshape, transpose


def swap_last(x):
    """The matrices of a batch, each transposed."""
    return x.swapaxes(-1, -2)


def rows_of(x):
    """All rows of a batch of matrices as one matrix."""
    return reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


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
    broadcasts = "leading axes"
    samples = [
        Sample(real(2, 3), real(3, 4)), Sample(real(3), real(3, 4)), Sample(real(2, 3), real(3)), Sample(real(3), real(3)),
        Sample(real(2, 2, 3), real(2, 3, 2)), Sample(real(2, 2, 3), real(3, 4)), Sample(real(2, 1, 2, 3), real(3, 3, 2)),
        Sample(real(2, 3), real(2, 3, 2)), Sample(real(3), real(2, 3, 2)), Sample(real(2, 2, 3), real(3)),
        Sample(real(0, 3), real(3, 2)), Sample(real(2, 0), real(0, 2)), Sample(real(2, 3, 2, 2), real(2, 2)),
    ]  # fmt: skip

    def check(self, a, b):
        left, right = getattr(a, "shape", ()), getattr(b, "shape", ())
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
        if b.ndim == 1:  # a column
            return g[..., None] * b
        if _a.ndim == 1:  # a row
            return matmul(b, g[..., None])[..., 0]
        return matmul(g, swap_last(b))

    def grad_b(self, g, _y, a, _b):
        if a.ndim == 1:  # a row
            return g[..., None, :] * a[:, None] if _b.ndim > 1 else g * a
        if _b.ndim == 1:  # a column
            return matmul(reshape(g, (-1,)), rows_of(a))
        if _b.ndim == 2 and a.ndim > 2:  # one matrix for a whole batch: its gradient is one flat product
            a, g = rows_of(a), rows_of(g)
        return matmul(swap_last(a), g)


@op
class linear(Op):
    r"""An affine map of the last axis: what `nn.Linear` computes.

    One op for three (transpose, product, sum): the bias is added in the memory of the product, all rows of a batch are one product
    forward and one for each gradient, and the gradient of W comes out in W's own order of axes.

    Shapes: x ``(..., in)``, weight ``(out, in)``, bias ``(out,)`` or None, y ``(..., out)``.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    formula = r"Y = X W^\top + b"
    derivative = r"\bar X = \bar Y W, \quad \bar W = \bar Y^\top X, \quad \bar b = \sum_{\text{rows}} \bar y_i"
    samples = [Sample(real(2, 3), real(4, 3), real(4)), Sample(real(3), real(2, 3), real(2)), Sample(real(2, 2, 3), real(4, 3)),
               Sample(real(2, 1, 2), real(1, 2), real(1)), Sample(real(0, 3), real(2, 3), real(2))]  # fmt: skip

    def check(self, x, weight, bias):
        have, filters = shape_of(x), shape_of(weight)
        if len(filters) != 2 or have[-1:] != filters[1:]:
            raise ValueError(f"linear: x {have} does not fit weight {filters}: expected (..., in) and (out, in).")
        if bias is not None and shape_of(bias) != filters[:1]:
            raise ValueError(f"linear: bias has shape {shape_of(bias)}, expected one number an output, {filters[:1]}.")
        return {}

    def forward(self, dev, x, weight, bias=None):
        y = dev.matmul(x, weight.T)
        if bias is None or bias.dtype != y.dtype:
            return y if bias is None else y + bias
        y += bias
        return y

    def backward(self, g, _y, x, weight, bias, *, needs):
        dev, (outputs, inputs) = device_of(g), weight.shape
        rows = math.prod(g.shape[:-1])
        flat = g.reshape(rows, outputs)
        pairs = [(flat, weight)] if needs[0] else []
        pairs += [(flat.T, x.reshape(rows, inputs))] if needs[1] else []
        found = dev.products(*pairs)
        dw = found.pop() if needs[1] else None
        dx = found.pop().reshape(x.shape) if needs[0] else None
        return dx, dw, dev.sum_leading(g) if needs[2] else None

    def composed(self, x, weight, bias=None):
        y = matmul(x, transpose(weight))
        return y if bias is None else y + bias
