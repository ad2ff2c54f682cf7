"""Questions about numbers, answered by truth values or by positions: results without a gradient.

Reductions take `axis` (None for all) and `keepdims` as sums do.
"""

from __future__ import annotations

import numpy as np

from minilm.ops.arguments import normalize_axes, shape_of
from minilm.ops.op import Op, op
from minilm.ops.reduce import count
from minilm.ops.sample import Sample, real


class _Question(Op):
    """The base of ops whose results are truth values or integers."""

    derivative = r"\bar x = 0"
    domain = "no gradient: the results are truth values or integers"
    answers = True


@op
class isnan(_Question):
    """Whether each element is NaN, the one number that differs from itself."""

    formula = r"y = [x \neq x]"
    samples = [Sample(real(2, 3)), Sample(real())]

    def forward(self, dev, x):
        return dev.xp.isnan(x)


@op
class isinf(_Question):
    """Whether each element is infinite, with either sign."""

    formula = r"y = [\,|x| = \infty\,]"
    samples = [Sample(real(2, 3)), Sample(real())]

    def forward(self, dev, x):
        return dev.xp.isinf(x)


@op
class isposinf(_Question):
    formula = r"y = [x = +\infty]"
    samples = [Sample(real(2, 3)), Sample(real())]

    def forward(self, dev, x):
        return dev.xp.equal(x, dev.xp.inf)


@op
class isneginf(_Question):
    formula = r"y = [x = -\infty]"
    samples = [Sample(real(2, 3)), Sample(real())]

    def forward(self, dev, x):
        return dev.xp.equal(x, -dev.xp.inf)


@op
class isfinite(_Question):
    """Whether each element is a number: neither infinite nor NaN."""

    formula = r"y = [\,|x| < \infty\,]"
    samples = [Sample(real(2, 3)), Sample(real())]

    def forward(self, dev, x):
        return dev.xp.isfinite(x)


@op
class signbit(_Question):
    """Whether the sign is minus: -0.0 has it too."""

    formula = r"y = [\operatorname{sign}(x) = -1]"
    samples = [Sample(real(2, 3)), Sample(real())]

    def forward(self, dev, x):
        return dev.xp.signbit(x)


@op
class isclose(_Question):
    r"""Whether a is as near to b as the tolerances say. Equal infinities are close; NaN is close to NaN with `equal_nan` only."""

    formula = r"y = [\,|a - b| \le \text{atol} + \text{rtol}\,|b|\,]"
    derivative = r"\bar a = 0, \quad \bar b = 0"
    broadcasts = True
    samples = [Sample(real(2, 3), real(3), rtol=0.5), Sample(real(3), 0.5, atol=0.5), Sample(real(), real(2))]

    def forward(self, dev, a, b, *, rtol=1e-5, atol=1e-8, equal_nan=False):
        return dev.xp.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


@op
class all(_Question):
    """Whether all elements along the axes hold (are not 0): true of none."""

    formula = r"y = [\forall i: x_i \neq 0]"
    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3, 2), axis=(0, -1)),
        Sample(real(2, 3), axis=1, keepdims=True),
        Sample(real()),
    ]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("all", axis, len(shape_of(x))), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.all(x, axis=axis, keepdims=keepdims) if axis else dev.xp.not_equal(x, 0)


@op
class any(_Question):
    """Whether an element along the axes holds (is not 0): false of none."""

    formula = r"y = [\exists i: x_i \neq 0]"
    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3, 2), axis=(0, -1)),
        Sample(real(2, 3), axis=1, keepdims=True),
        Sample(real()),
    ]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("any", axis, len(shape_of(x))), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.any(x, axis=axis, keepdims=keepdims) if axis else dev.xp.not_equal(x, 0)


@op
class count_nonzero(_Question):
    """How many elements along the axes are not 0."""

    formula = r"y = \#\{i : x_i \neq 0\}"
    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3, 2), axis=(0, -1)),
        Sample(real(2, 3), axis=1, keepdims=True),
        Sample(real()),
    ]

    def check(self, x, *, axis, keepdims):
        return {"axis": normalize_axes("count_nonzero", axis, len(shape_of(x))), "keepdims": keepdims}

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.sum(dev.xp.not_equal(x, 0), axis=axis, keepdims=keepdims, dtype=np.int64)


class _Position(_Question):
    """Where the largest (or smallest) element stands: along one axis, or in row-major order among all (``axis=None``).

    Of several that tie it is the first; NaN counts as the largest and as the smallest.

    Raises:
        ValueError: there is nothing to choose from.
    """

    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3), axis=0),
        Sample(real(2, 3), axis=-1, keepdims=True),
        Sample(real(2, 3), keepdims=True),
        Sample(real()),
    ]

    def check(self, x, *, axis, keepdims):
        shape = shape_of(x)
        if axis is not None:
            axis = line(self.name, axis, len(shape))
        axes = range(len(shape)) if axis is None else (axis,) if shape else ()
        if count(shape, tuple(axes)) == 0:
            raise ValueError(f"{self.name}: a tensor of shape {shape} has no elements along axis {axis}.")
        return {"axis": axis if shape else None, "keepdims": keepdims}


@op
class argmax(_Position):
    __doc__ = _Position.__doc__
    formula = r"y = \operatorname{argmax}_i x_i"

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.argmax(x, axis=axis, keepdims=keepdims).astype(np.int64, copy=False)


@op
class argmin(_Position):
    __doc__ = _Position.__doc__
    formula = r"y = \operatorname{argmin}_i x_i"

    def forward(self, dev, x, *, axis=None, keepdims=False):
        return dev.xp.argmin(x, axis=axis, keepdims=keepdims).astype(np.int64, copy=False)


def line(op_name: str, axis, ndim: int) -> int:
    """One axis as a number from 0. A tensor without axes is a line of one element, whose axis is 0 or -1, as in PyTorch."""
    (found,) = normalize_axes(op_name, (axis,), max(ndim, 1))
    return found
