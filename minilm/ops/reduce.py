"""Reductions over axes. `axis` is None (all), one axis or several; `keepdims` leaves them with size 1."""

from __future__ import annotations

import math
from typing import Any

from minilm.ops.arithmetic import exp, sqrt, where
from minilm.ops.index import getitem
from minilm.ops.op import Op, Sample, distinct, normalize_axes, normalize_axis, op, real, shape_of
from minilm.ops.shape import concat, expand, flip, reshape, transpose


def reduction_samples(**options: Any) -> list[Sample]:
    """Samples of a reduction: all axes, one, several, negative, kept, of a scalar, of one element."""
    x = real(2, 3, 4, **options)
    return [
        Sample(x),
        Sample(x, axis=1),
        Sample(x, axis=(0, 2)),
        Sample(x, axis=-1, keepdims=True),
        Sample(real(**options)),
        Sample(real(1, 1, **options), axis=0),
    ]


def kept(shape: tuple[int, ...], axis: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with the reduced axes at size 1."""
    return tuple(1 if i in axis else n for i, n in enumerate(shape))


def spread(g: Any, shape: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    """The gradient (or result) of a reduction, repeated along the axes that it summed over."""
    return expand(reshape(g, kept(shape, axis)), shape)


@op
class sum(Op):
    formula = r"y = \sum_i x_i"
    derivative = r"\bar x_i = \bar y"
    samples = [*reduction_samples(), Sample(real(0, 3), axis=0), Sample(real(2, 0))]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("sum", axis, x.ndim), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.sum(x, axis=axis, keepdims=keepdims)

    def grad_x(self, g, _y, _x, *, axis, keepdims):
        return spread(g, _x.shape, axis)


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    r"""The gradient of a broadcast input: `g` summed over the axes along which the input was repeated.

    Where :math:`y_{ij} = f(x_j)`, the chain rule gives :math:`\bar x_j = \sum_i \bar y_{ij} f'(x_j)`: one copy of x fed
    every row.
    """
    have = shape_of(g)
    if have == shape:
        return g
    lead = len(have) - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and have[i + lead] != 1)
    return reshape(sum(g, axis=axes), shape)


@op
class mean(Op):
    formula = r"y = \frac1n \sum_i x_i"
    derivative = r"\bar x_i = \frac{\bar y}{n}"
    samples = reduction_samples()

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("mean", axis, x.ndim), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        total = dev.xp.sum(x, axis=axis, keepdims=keepdims)
        return total / count(x.shape, axis) if count(x.shape, axis) else total * float("nan")

    def grad_x(self, g, _y, _x, *, axis, keepdims):
        return spread(g / (count(_x.shape, axis) or 1), _x.shape, axis)


def count(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
    """The number of elements that a reduction joins into one."""
    return math.prod(shape[i] for i in axis)


@op
class var(Op):
    r"""The variance. ``correction=1`` divides by n - 1 (the unbiased estimate, PyTorch's default), 0 by n.

    With n no more than the correction the result is NaN (0 / 0).
    """

    formula = r"y = \frac{1}{n - c} \sum_i (x_i - \mu)^2, \quad \mu = \tfrac1n \sum_i x_i"
    derivative = r"\bar x_i = \frac{2 \bar y}{n - c} (x_i - \mu)"
    samples = [Sample(*s.inputs, **s.params, correction=0) for s in reduction_samples()] + reduction_samples()[:4]

    def check(self, x, *, axis, keepdims, correction):
        return {"axis": normalize_axes("var", axis, x.ndim), "keepdims": keepdims, "correction": correction}

    def composed(self, x, *, axis=None, keepdims=False, correction=1):
        n = count(x.shape, axis)
        d = x - mean(x, axis, True)
        total = sum(d * d, axis, keepdims)
        return total / (n - correction) if n > correction else total * float("nan")


@op
class std(Op):
    r"""The standard deviation: the root of `var`. Its derivative at 0 is infinite."""

    formula = r"y = \sqrt{\operatorname{var}(x)}"
    derivative = r"\bar x_i = \frac{\bar y}{y} \frac{x_i - \mu}{n - c}"
    domain = "y > 0"
    samples = reduction_samples()[:4]

    def composed(self, x, *, axis=None, keepdims=False, correction=1):
        return sqrt(var(x, axis, keepdims, correction))


class _Extreme(Op):
    """The largest or smallest element. Elements that tie share the gradient equally (PyTorch's amax and amin).

    Raises:
        ValueError: there is nothing to choose from.
    """

    domain = "ties share the gradient equally"
    samples = [
        Sample(distinct(2, 3, 4)), Sample(distinct(2, 3, 4), axis=1), Sample(distinct(2, 3, 4), axis=(0, 2)),
        Sample(distinct(2, 3), axis=-1, keepdims=True), Sample(distinct()), Sample(distinct(1, 1), axis=0),
    ]  # fmt: skip

    def check(self, x, *, axis, keepdims):
        axis = normalize_axes(self.name, axis, x.ndim)
        if axis and count(x.shape, axis) == 0:
            raise ValueError(f"{self.name}: a tensor of shape {tuple(x.shape)} has no element along axis {axis}.")
        return {"axis": axis, "keepdims": keepdims}

    def grad_x(self, g, y, x, *, axis, keepdims):
        chosen = (x == spread(y, shape_of(x), axis)).astype(g.dtype)
        return spread(g, shape_of(x), axis) * chosen / sum(chosen, axis, True)


@op
class max(_Extreme):
    formula = r"y = \max_i x_i"
    derivative = r"\bar x_i = \bar y\, [x_i = y] \,/\, \#\{j : x_j = y\}"

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.max(x, axis=axis, keepdims=keepdims) if axis else x


@op
class min(_Extreme):
    formula = r"y = \min_i x_i"
    derivative = r"\bar x_i = \bar y\, [x_i = y] \,/\, \#\{j : x_j = y\}"

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.min(x, axis=axis, keepdims=keepdims) if axis else x


@op
class cumsum(Op):
    formula = r"y_i = \sum_{j \le i} x_j"
    derivative = r"\bar x_j = \sum_{i \ge j} \bar y_i"
    samples = [
        Sample(real(2, 3, 4), axis=1),
        Sample(real(5), axis=0),
        Sample(real(0, 3), axis=0),
        Sample(real(2, 3), axis=-1),
    ]

    def check(self, x, *, axis):
        return {"axis": normalize_axis("cumsum", axis, x.ndim)}

    def forward(self, dev, x, *, axis):
        return dev.xp.cumsum(x, axis=axis)

    def grad_x(self, g, _y, _x, *, axis):
        return flip(cumsum(flip(g, axis), axis), axis)


@op
class prod(Op):
    r"""The product, as a tree of multiplications: halves are multiplied until one number is left.

    So its gradient, the product of all other elements, needs no division, and is right where elements are zero.
    """

    formula = r"y = \prod_i x_i"
    derivative = r"\bar x_i = \bar y \prod_{j \ne i} x_j"
    samples = [*reduction_samples(), Sample(real(2, 0), axis=1)]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("prod", axis, x.ndim), "keepdims": keepdims}

    def composed(self, x, *, axis=None, keepdims=False):
        shape, rest = shape_of(x), tuple(i for i in range(x.ndim) if i not in axis)
        n = count(shape, axis)
        left = tuple(shape[i] for i in rest)
        rows = (
            reshape(transpose(x, (*rest, *axis)), (*left, n))
            if n
            else expand(reshape(sum(x) + 1.0, (1,) * (len(left) + 1)), (*left, 1))
        )
        while rows.shape[-1] > 1:
            half = rows.shape[-1] // 2
            pairs = getitem(rows, (..., slice(half))) * getitem(rows, (..., slice(half, 2 * half)))
            rows = concat(pairs, getitem(rows, (..., slice(2 * half, None))), axis=-1) if rows.shape[-1] % 2 else pairs
        return reshape(rows, kept(shape, axis) if keepdims else left)


@op
class logsumexp(Op):
    r"""The logarithm of a sum of exponentials, computed from :math:`x - \max x`, which cannot overflow.

    Where all elements are :math:`-\infty` the result is too, and their gradient is 0.
    """

    formula = r"y = \ln \sum_i e^{x_i} = m + \ln \sum_i e^{x_i - m}, \quad m = \max_i x_i"
    derivative = r"\bar x_i = \bar y\, e^{x_i - y} = \bar y\, \operatorname{softmax}(x)_i"
    samples = [*reduction_samples(), Sample(real(3, 4, low=-300.0, high=300.0), axis=1)]

    def check(self, x, *, axis, keepdims):
        axis = normalize_axes("logsumexp", axis, x.ndim)
        if axis and count(x.shape, axis) == 0:
            raise ValueError(f"logsumexp: a tensor of shape {tuple(x.shape)} has no element along axis {axis}.")
        return {"axis": axis, "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        xp = dev.xp
        if not axis:
            return x
        top = xp.max(x, axis=axis, keepdims=True)
        top = xp.where(xp.isfinite(top), top, 0).astype(x.dtype)
        total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
        y = xp.where(total > 0, xp.log(xp.where(total > 0, total, 1)), -xp.inf).astype(x.dtype) + top
        return y if keepdims else xp.squeeze(y, axis=axis)

    def grad_x(self, g, y, x, *, axis, keepdims):
        top = spread(where(y == -math.inf, 0.0, y), x.shape, axis)  # -inf - (-inf) is not a number
        return spread(g, x.shape, axis) * exp(x - top)
