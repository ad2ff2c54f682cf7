"""Reductions over axes. `axis` is None (all), one axis or several; `keepdims` leaves them with size 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minilm.backend import cpu, device_of
from minilm.backend.reference import sum_dtype
from minilm.ops.arguments import normalize_axes, normalize_axis, shape_of
from minilm.ops.arithmetic import cast, exp, where
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, distinct, real
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


def reduced(shape: tuple[int, ...], axis: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """The shape of a reduction's result."""
    return kept(shape, axis) if keepdims else tuple(n for i, n in enumerate(shape) if i not in axis)


def spread(g, shape, axis):
    """The gradient (or result) of a reduction, repeated along the axes that it summed over."""
    return expand(reshape(g, kept(shape, axis)), shape)


@op
class sum(Op):
    formula = r"y = \sum_i x_i"
    derivative = r"\bar x_i = \bar y"
    wide = True
    samples = [*reduction_samples(), Sample(real(0, 3), axis=0), Sample(real(2, 0))]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("sum", axis, x.ndim), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.sum(x, axis, keepdims)

    def grad_x(self, g, _y, _x, *, axis, keepdims):
        return spread(g, _x.shape, axis)


def sum_to(g, shape):
    r"""The gradient of a broadcast input: `g` summed over the axes along which the input was repeated.

    Where :math:`y_{ij} = f(x_j)`, the chain rule gives :math:`\bar x_j = \sum_i \bar y_{ij} f'(x_j)`: one copy of x fed
    every row.
    """
    have = shape_of(g)
    if have == shape:
        return g
    if math.prod(have) == math.prod(shape):  # along axes of size 1 alone
        return g.reshape(shape)
    lead = len(have) - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and have[i + lead] != 1)
    return reshape(sum(g, axis=axes), shape)


def count(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
    """The number of elements that a reduction joins into one."""
    return math.prod(shape[i] for i in axis)


def over(total, n):
    """`total` divided by the number n, and NaN where that is 0 or less, without NumPy's warning."""
    return total / n if n > 0 else total * math.nan


@op
class mean(Op):
    """The mean; NaN of no elements, as in PyTorch."""

    formula = r"y = \frac1n \sum_i x_i"
    derivative = r"\bar x_i = \frac{\bar y}{n}"
    integers = "floats"
    wide = True
    samples = reduction_samples()

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("mean", axis, x.ndim), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return over(dev.sum(x, axis, keepdims), count(x.shape, axis))

    def grad_x(self, g, _y, _x, *, axis, keepdims):
        return spread(over(g, count(_x.shape, axis)), _x.shape, axis)


@op
class var(Op):
    """The variance. ``correction=1`` divides by n - 1 (the unbiased estimate, PyTorch's default), 0 by n.

    Where n does not exceed the correction, the result and its gradient are NaN.
    """

    formula = r"y = \frac{1}{n - c} \sum_i (x_i - \mu)^2, \quad \mu = \tfrac1n \sum_i x_i"
    derivative = r"\bar x_i = \frac{2 \bar y}{n - c} (x_i - \mu)"
    integers = "floats"
    wide = True
    samples = [Sample(*s.inputs, **s.params, correction=0) for s in reduction_samples()] + reduction_samples()[:4]

    def check(self, x, *, axis, keepdims, correction):
        return {"axis": normalize_axes("var", axis, x.ndim), "keepdims": keepdims, "correction": correction}

    def forward(self, dev, x, *, axis=None, keepdims=False, correction=1):
        n = count(x.shape, axis)
        d = x - over(dev.sum(x, axis, True), n)
        return over(dev.sum(d * d, axis, keepdims), n - correction)

    def grad_x(self, g, _y, x, *, axis, keepdims, correction):
        g = over(g * 2.0, count(x.shape, axis) - correction)
        return spread(g, x.shape, axis) * (x - mean(x, axis, True))


@op
class std(Op):
    """The standard deviation, the root of `var`, with its `correction` and its NaN.

    Equal elements have no derivative: the standard deviation rises in every direction. Their gradient is 0, as in PyTorch.
    """

    formula = r"y = \sqrt{\operatorname{var}(x)}"
    derivative = r"\bar x_i = \frac{\bar y}{y} \frac{x_i - \mu}{n - c}"
    domain = r"kink at y = 0, where \bar x = 0"
    integers = "floats"
    wide = True
    samples = reduction_samples()[:4]

    def check(self, x, *, axis, keepdims, correction):
        return {"axis": normalize_axes("std", axis, x.ndim), "keepdims": keepdims, "correction": correction}

    def forward(self, dev, x, *, axis=None, keepdims=False, correction=1):
        return dev.xp.sqrt(var.forward(dev, x, axis=axis, keepdims=keepdims, correction=correction))

    def grad_x(self, g, y, x, *, axis, keepdims, correction):
        g = over(where(y == 0, 0.0, g) / where(y == 0, 1.0, y), count(x.shape, axis) - correction)
        return spread(g, x.shape, axis) * (x - mean(x, axis, True))


class _Extreme(Op):
    """The largest or smallest element; NaN where there is one.

    Elements that tie share the gradient equally (PyTorch's amax and amin). Where the result is NaN, so is its gradient.

    Raises:
        ValueError: there is nothing to choose from.
    """

    domain = "ties share the gradient equally"
    wide = True
    samples = [
        Sample(distinct(2, 3, 4)), Sample(distinct(2, 3, 4), axis=1), Sample(distinct(2, 3, 4), axis=(0, 2)),
        Sample(distinct(2, 3), axis=-1, keepdims=True), Sample(distinct()), Sample(distinct(1, 1), axis=0),
    ]  # fmt: skip

    def check(self, x, *, axis, keepdims):
        axis = normalize_axes(self.name, axis, x.ndim)
        if count(x.shape, axis) == 0:
            raise ValueError(f"{self.name}: a tensor of shape {shape_of(x)} has no elements along axis {axis}.")
        return {"axis": axis, "keepdims": keepdims}

    def grad_x(self, g, y, x, *, axis, keepdims):
        chosen = (x == spread(y, x.shape, axis)).astype(g.dtype)
        ties = sum(chosen, axis, True)
        share = reshape(g, ties.shape) / where(ties == 0, math.nan, ties)  # only NaN differs from itself
        return spread(share, x.shape, axis) * chosen


@op
class max(_Extreme):
    __doc__ = _Extreme.__doc__
    formula = r"y = \max_i x_i"
    derivative = r"\bar x_i = \bar y\, [x_i = y] \,/\, \#\{j : x_j = y\}"

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.max(x, axis=axis, keepdims=keepdims) if axis else x.copy()


@op
class min(_Extreme):
    __doc__ = _Extreme.__doc__
    formula = r"y = \min_i x_i"
    derivative = r"\bar x_i = \bar y\, [x_i = y] \,/\, \#\{j : x_j = y\}"

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.min(x, axis=axis, keepdims=keepdims) if axis else x.copy()


@op
class cumsum(Op):
    lifts = True
    formula = r"y_i = \sum_{j \le i} x_j"
    derivative = r"\bar x_j = \sum_{i \ge j} \bar y_i"
    wide = True
    samples = [
        Sample(real(2, 3, 4), axis=1),
        Sample(real(5), axis=0),
        Sample(real(0, 3), axis=0),
        Sample(real(2, 3), axis=-1),
    ]

    def check(self, x, *, axis):
        return {"axis": normalize_axis("cumsum", axis, x.ndim)}

    def forward(self, dev, x, *, axis):
        return dev.cumsum(x, axis)

    def grad_x(self, g, _y, _x, *, axis):
        return flip(cumsum(flip(g, axis), axis), axis)


@op
class prod(Op):
    r"""The product, as a tree of multiplications: halves are multiplied until one number is left; 1 of no elements.

    So its gradient, the product of all other elements, needs no division, and is right where elements are zero.
    """

    formula = r"y = \prod_i x_i"
    derivative = r"\bar x_i = \bar y \prod_{j \ne i} x_j"
    wide = True
    samples = [*reduction_samples(), Sample(real(2, 5), axis=1), Sample(real(2, 0), axis=1)]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("prod", axis, x.ndim), "keepdims": keepdims}

    def composed(self, x, *, axis=None, keepdims=False):
        n, rest = count(x.shape, axis), tuple(i for i in range(x.ndim) if i not in axis)
        if n == 0:
            return sum(x, axis, keepdims) + 1
        if x.dtype.kind != "f":
            x = cast(x, sum_dtype(x.dtype))
        if x.dtype == np.float32 and n > cpu.long_sum:  # each multiplication rounds
            return cast(prod(cast(x, np.float64), axis=axis, keepdims=keepdims), np.float32)
        left = tuple(x.shape[i] for i in rest)
        rows = reshape(transpose(x, (*rest, *axis)), (*left, n))
        while n > 1:
            half = n // 2
            pairs = rows[..., :half] * rows[..., half : 2 * half]
            rows = concat(pairs, rows[..., 2 * half :], axis=-1) if n % 2 else pairs
            n -= half
        return reshape(rows, reduced(x.shape, axis, keepdims))


@op
class logsumexp(Op):
    r"""The logarithm of a sum of exponentials, computed from :math:`x - \max x`, which cannot overflow.

    Where all elements are :math:`-\infty`, or there are none, it is :math:`-\infty` with gradient 0. An element
    :math:`+\infty` makes it :math:`+\infty`, with gradient NaN.
    """

    formula = r"y = \ln \sum_i e^{x_i} = m + \ln \sum_i e^{x_i - m}, \quad m = \max_i x_i"
    derivative = r"\bar x_i = \bar y\, e^{x_i - y} = \bar y\, \operatorname{softmax}(x)_i"
    domain = r"all real numbers, and -\infty"
    integers = "floats"
    wide = True
    samples = [*reduction_samples(), Sample(real(3, 4, low=-300.0, high=300.0), axis=1)]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("logsumexp", axis, x.ndim), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        xp = dev.xp
        if count(x.shape, axis) == 0:
            return dev.sum(x, axis, keepdims) - math.inf
        top = max.forward(dev, x, axis=axis, keepdims=True)
        base = xp.where(xp.isfinite(top), top, 0)  # infinity minus infinity is not a number
        total = dev.sum(xp.exp(xp.minimum(x - base, 0)), axis, True)
        y = top + xp.log(xp.where(total == 0, 1, total))
        return xp.reshape(y, reduced(x.shape, axis, keepdims))

    def grad_x(self, g, y, x, *, axis, keepdims):
        base = where(y == -math.inf, 0.0, where(y == math.inf, math.nan, y))
        return spread(g, x.shape, axis) * exp(x - spread(base, x.shape, axis))


@op
class logmatmulexp(Op):
    r"""The matrix product with sums in place of products, and `logsumexp` in place of sums: of probabilities by their logarithms.

    It is a step of the forward algorithm, in which scores of paths are added up label by label. Where every summand of an element
    is :math:`-\infty`, so is the element, with gradient 0.

    Shapes: ``(n, k), (k, m) -> (n, m)``.

    Raises:
        ValueError: an input is no matrix, or the inner sizes differ.
    """

    formula = r"y_{ij} = \ln \sum_k e^{a_{ik} + b_{kj}}"
    derivative = (
        r"\bar a_{ik} = \sum_j p_{ikj}, \quad \bar b_{kj} = \sum_i p_{ikj}, \quad "
        r"p_{ikj} = \bar y_{ij}\, e^{a_{ik} + b_{kj} - y_{ij}}"
    )
    domain = r"all real numbers, and -\infty"
    integers = "floats"
    wide = True
    samples = [
        Sample(real(2, 3), real(3, 4)),
        Sample(real(1, 1), real(1, 2)),
        Sample(real(3, 2, low=-300.0, high=300.0), real(2, 2, low=-300.0, high=300.0)),
        Sample(real(0, 2), real(2, 3)),
    ]

    def check(self, a, b):
        left, right = shape_of(a), shape_of(b)
        if len(left) != 2 or len(right) != 2 or left[1] != right[0]:
            raise ValueError(f"logmatmulexp: expected matrices (n, k) and (k, m), got {left} and {right}.")
        return {}

    def forward(self, dev, a, b):
        return dev.logmatmulexp(a, b)

    def backward(self, g, y, a, b, *, needs):
        return device_of(g).logmatmulexp_backward(g, a, b, y)

    def composed(self, a, b):
        return logsumexp(a[:, :, None] + b, axis=1)
