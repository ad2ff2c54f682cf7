"""Order along an axis: sorting, the largest few, running extremes.

Each finds positions first, which have no gradient, and then picks the elements at them: the gradient of an element goes back to
where it was picked. NaN counts as larger than every number. Equal elements keep their order (a stable sort).
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from minilm.ops.arguments import shape_of
from minilm.ops.index import advanced_index
from minilm.ops.logic import _Question, line
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, distinct
from minilm.ops.shape import along, array_of, home_of


class Ordered(NamedTuple):
    """Elements, and where along the axis they stood: int64."""

    values: Any
    indices: Any


@op
class argsort(_Question):
    """Where the elements stand that come first, second, ... in order along an axis. Equal ones keep theirs; NaN is the largest."""

    formula = r"x_{y_0} \le x_{y_1} \le x_{y_2} \le \cdots"
    samples = [
        Sample(distinct(2, 5)),
        Sample(distinct(4, 2), axis=0, descending=True),
        Sample(distinct()),
        Sample(distinct(0, 2)),
    ]

    def check(self, x, *, axis, descending, stable):
        return {"axis": line("argsort", axis, len(shape_of(x))), "descending": bool(descending), "stable": True}

    def forward(self, dev, x, *, axis=-1, descending=False, stable=True):
        xp = dev.xp
        if x.ndim == 0 or x.size == 0:
            return xp.zeros(x.shape, np.int64)
        if not descending:
            return xp.argsort(x, axis=axis, kind="stable").astype(np.int64, copy=False)
        backwards = along(axis, slice(None, None, -1))
        return x.shape[axis] - 1 - xp.argsort(x[backwards], axis=axis, kind="stable").astype(np.int64)[backwards]


def pick(x, indices, axis, once=True):
    """The elements of x at these positions along an axis; `once`: none is picked twice."""
    if not shape_of(x):
        return x[...]
    xp, shape = home_of(x).xp, shape_of(indices)
    places = [xp.arange(n).reshape(-1, *(1,) * (len(shape) - d - 1)) for d, n in enumerate(shape)]
    places[axis] = array_of(indices)
    return advanced_index(x, index=tuple(places), distinct=once)


@op
class sort(Op):
    """The elements in order along an axis, and where they stood: ``values, indices = sort(x)``.

    Equal elements keep their order, whatever `stable` says; it is there because PyTorch's function has it.
    """

    formula = r"y_k = x_{i(k)}, \quad y_0 \le y_1 \le y_2 \le \cdots"
    derivative = r"\bar x_{i(k)} = \bar y_k"
    domain = "kinks where elements tie, where each keeps its own gradient"
    samples = [
        Sample(distinct(2, 5)),
        Sample(distinct(4, 2), axis=0, descending=True),
        Sample(distinct()),
        Sample(distinct(0, 2)),
    ]

    def check(self, x, *, axis, descending, stable):
        return {"axis": line("sort", axis, len(shape_of(x))), "descending": bool(descending), "stable": True}

    def composed(self, x, *, axis=-1, descending=False, stable=True):
        order = argsort(x, axis=axis, descending=descending)
        return Ordered(pick(x, order, axis), order)


@op
class topk(Op):
    """The k largest elements along an axis (the smallest with ``largest=False``), and where they stood.

    They come in order, the largest first, whatever `sorted` says: of equal elements those that stand first.

    Raises:
        ValueError: k is negative, or above the size of the axis.
    """

    formula = r"y_j = x_{i(j)}, \quad y_0 \ge y_1 \ge \cdots \ge y_{k-1} \ge \text{the others}"
    derivative = r"\bar x_{i(j)} = \bar y_j, \text{ and } 0 \text{ elsewhere}"
    domain = "kinks where elements tie, where each keeps its own gradient"
    samples = [Sample(distinct(2, 5), k=3), Sample(distinct(4, 2), k=2, axis=0, largest=False), Sample(distinct(), k=1)]

    def check(self, x, *, k, axis, largest, sorted):
        k, shape = operator.index(k), shape_of(x)
        axis = line("topk", axis, len(shape))
        size = shape[axis] if shape else 1
        if not 0 <= k <= size:
            raise ValueError(f"topk: k is from 0 to the size of axis {axis} of {shape}, which is {size}; got {k}.")
        return {"k": k, "axis": axis, "largest": bool(largest), "sorted": True}

    def composed(self, x, *, k, axis=-1, largest=True, sorted=True):
        order = argsort(x, axis=axis, descending=largest)
        if shape_of(x):
            order = order[along(axis, slice(k))]
        elif k == 0:
            raise ValueError("topk: of a tensor without axes there is k = 1 only.")
        return Ordered(pick(x, order, axis), order)


def running(xp, x, axis, takes_over):
    """Where the running extreme of an array stands at each place along an axis.

    After the step of width w each place knows the extreme of the 2w places up to it: so log2(n) steps over the whole array,
    on every device. ``takes_over(later, earlier)`` says where the later number is the extreme of both.
    """
    n, best, width = x.shape[axis], x, 1
    where = xp.broadcast_to(xp.arange(n).reshape(-1, *(1,) * (x.ndim - axis - 1)), x.shape)
    while width < n:
        first, later, earlier = (along(axis, part) for part in (slice(width), slice(width, None), slice(-width)))
        takes = takes_over(best[later], best[earlier])
        best, where = (
            xp.concatenate([a[first], xp.where(takes, a[later], a[earlier])], axis=axis) for a in (best, where)
        )
        width *= 2
    return where.astype(np.int64)


class _RunningPosition(_Question):
    """Where the largest (or smallest) element up to each place along an axis stands: the latest of equal ones, or of NaNs."""

    samples = [Sample(distinct(2, 5), axis=1), Sample(distinct(0, 3), axis=0), Sample(distinct(), axis=0)]

    def check(self, x, *, axis):
        return {"axis": line(self.name, axis, len(shape_of(x)))}

    def forward(self, dev, x, *, axis):
        return running(dev.xp, x, axis, self.takes_over) if x.ndim else dev.xp.zeros((), np.int64)


@op
class argcummax(_RunningPosition):
    __doc__ = _RunningPosition.__doc__
    formula = r"x_{y_i} = \max_{j \le i} x_j"

    def takes_over(self, later, earlier):
        return (later != later) | ((earlier == earlier) & (later >= earlier))


@op
class argcummin(_RunningPosition):
    __doc__ = _RunningPosition.__doc__
    formula = r"x_{y_i} = \min_{j \le i} x_j"

    def takes_over(self, later, earlier):
        return (later != later) | ((earlier == earlier) & (later <= earlier))


class _Running(Op):
    """The largest (or smallest) element up to each place along an axis, and where it stands: ``values, indices``.

    Of equal elements it is the latest. From the first NaN on it is NaN, each the latest one.
    """

    derivative = r"\bar x_j = \sum_{i \ge j :\, y_i \text{ is } x_j} \bar y_i"
    domain = "kinks where elements tie, where the latest receives the gradient"
    samples = [
        Sample(distinct(2, 5), axis=1),
        Sample(distinct(4, 2), axis=0),
        Sample(distinct(0, 3), axis=0),
        Sample(distinct(), axis=0),
    ]

    def check(self, x, *, axis):
        return {"axis": line(self.name, axis, len(shape_of(x)))}


@op
class cummax(_Running):
    __doc__ = _Running.__doc__
    formula = r"y_i = \max_{j \le i} x_j"

    def composed(self, x, *, axis):
        places = argcummax(x, axis=axis)
        return Ordered(pick(x, places, axis, once=False), places)


@op
class cummin(_Running):
    __doc__ = _Running.__doc__
    formula = r"y_i = \min_{j \le i} x_j"

    def composed(self, x, *, axis):
        places = argcummin(x, axis=axis)
        return Ordered(pick(x, places, axis, once=False), places)
