"""Putting elements at places that an index names, and adding them there: PyTorch's `scatter`, `scatter_add`, `index_add` and kin.

Each is composed of indexing (`minilm.ops.index`) and `where`, so that gradients of every order follow. Index numbers may be
negative, counting from the end.
"""

from __future__ import annotations

import numpy as np

from minilm.ops.arguments import shape_of
from minilm.ops.arithmetic import add, mul, where
from minilm.ops.explain import describe
from minilm.ops.index import accumulate, advanced_index, basic_index, resolve
from minilm.ops.logic import line
from minilm.ops.op import Op, op
from minilm.ops.reduce import sum
from minilm.ops.sample import Sample, integer, real
from minilm.ops.shape import along, array_of, drop, home_of, reshape


def as_index(op_name, index):
    """An index as an integer array.

    Raises:
        TypeError: it holds no integers.
    """
    array = (
        array_of(index) if hasattr(index, "dtype") else np.asarray(index, dtype=None if np.size(index) else np.int64)
    )
    if array.dtype.kind not in "iu":
        raise TypeError(f"{op_name}: an index holds integers, got {array.dtype}.")
    return array


def grid(x, index, axis):
    """The places in x that an index along an axis names: an integer array for each axis, of the index's shape together."""
    xp = home_of(x).xp
    places = [xp.arange(n).reshape(-1, *(1,) * (index.ndim - d - 1)) for d, n in enumerate(index.shape)]
    places[axis] = index
    return tuple(places)


def upper_corner(source, shape):
    """The part of a source that an index of this shape reads; a number as it is."""
    if not shape_of(source) or shape_of(source) == shape:
        return source
    return basic_index(source, index=(*(slice(n) for n in shape),))


def check_scatter(op_name, x, index, source, axis):
    """The axis from 0, after index and source were held against x."""
    have, index = shape_of(x), as_index(op_name, index)
    axis = line(op_name, axis, len(have))
    fits = index.ndim == len(have) and all(
        m <= n for m, n in zip(drop(index.shape, axis), drop(have, axis), strict=True)
    )
    if not fits:
        raise ValueError(
            f"{op_name}: index {index.shape} does not fit {have}: as many axes, and none but axis {axis} may be longer."
        )
    given = shape_of(source)
    if given and not (len(given) == index.ndim and all(m <= n for m, n in zip(index.shape, given, strict=True))):
        raise ValueError(
            f"{op_name}: src {given} does not fit index {index.shape}: as many axes, and none may be shorter."
        )
    return axis


@op
class scatter_add(Op):
    """x, with each element of `src` added at the place along an axis that `index` names for it. Repeated places add up.

    Shapes: index and src ``(..., m, ...)``, x ``(..., n, ...)``. Where index is shorter than src or x along another axis, the rest
    of these is left alone, as in PyTorch.
    """

    formula = r"y_{\dots j \dots} = x_{\dots j \dots} + \sum_{k :\, i_{\dots k \dots} = j} s_{\dots k \dots}"
    derivative = r"\bar x = \bar y, \quad \bar s_{\dots k \dots} = \bar y_{\dots i_{\dots k \dots} \dots}"
    samples = [
        Sample(real(3, 4), integer(2, 4, high=3), real(2, 4), axis=0),
        Sample(real(2, 3), integer(2, 4, low=-3, high=3), real(2, 4), axis=-1),
        Sample(real(3, 3), integer(2, 2, high=3), real(3, 2), axis=1),
    ]

    def check(self, x, index, src, *, axis):
        return {"axis": check_scatter("scatter_add", x, index, src, axis)}

    def composed(self, x, index, src, *, axis):
        index = as_index("scatter_add", index)
        if not shape_of(x):
            return x + sum(src)
        if not shape_of(src):
            src = full_like(x, index.shape, src)
        return x + accumulate(upper_corner(src, index.shape), shape=shape_of(x), index=grid(x, index, axis))


def full_like(x, shape, value):
    """A number of the type of x in every place of a shape."""
    if not isinstance(value, bool | int | float | np.generic):
        raise TypeError(f"src is {describe(value)}, expected a tensor or a number.")
    return home_of(x).xp.full(shape, value, array_of(x).dtype)


@op
class scatter(Op):
    """x, with the elements of `src` (or one number) at the places along an axis that `index` names for them.

    Where several name one place, one of them is left there: the last on the CPU. The gradient then goes to all of them, as in
    PyTorch, whose rule holds for places that are named once. Shapes are those of `scatter_add`.
    """

    formula = r"y_{\dots i_{\dots k \dots} \dots} = s_{\dots k \dots}, \quad y = x \text{ elsewhere}"
    derivative = (
        r"\bar s_{\dots k \dots} = \bar y_{\dots i_{\dots k \dots} \dots}, \quad \bar x = \bar y \text{ elsewhere}"
    )
    domain = "each place named once"
    samples = [
        Sample(real(1, 4), integer(1, 4, high=1), real(1, 4), axis=0),
        Sample(real(2, 3), integer(2, 1, high=3), real(2, 2), axis=1),
        Sample(real(3, 2), integer(1, 2, low=-3, high=3), -1.5, axis=0),
    ]

    def check(self, x, index, src, *, axis):
        return {"axis": check_scatter("scatter", x, index, src, axis)}

    def composed(self, x, index, src, *, axis):
        places = grid(x, as_index("scatter", index), axis) if shape_of(x) else ()
        return put(x, places, upper_corner(src, shape_of(index)) if shape_of(x) else src)


def put(x, places, values):
    """x with values (or one number) at an index of integer arrays."""
    shape = shape_of(x)
    places = resolve(shape, places, home_of(x))
    named = home_of(x).xp.zeros(shape, bool)
    named[places] = True
    if not shape_of(values):
        return where(named, values, x)
    return where(named, accumulate(values, shape=shape, index=places, distinct=True), x)


def check_rows(op_name, x, index, axis, source=()):
    """The axis from 0, for an op that takes one index for a whole axis."""
    have, index = shape_of(x), as_index(op_name, index)
    axis = line(op_name, axis, len(have))
    if index.ndim > 1:
        raise ValueError(f"{op_name}: the index is one list of places along axis {axis}, got shape {index.shape}.")
    wanted = (*have[:axis], index.size, *have[axis + 1 :])
    if source and source != wanted:
        raise ValueError(
            f"{op_name}: the source has shape {source}; for {index.size} places along axis {axis} of {have} it is {wanted}."
        )
    return axis


@op
class index_select(Op):
    """The slices of x at these places along an axis, in their order."""

    formula = r"y_{\dots k \dots} = x_{\dots i_k \dots}"
    derivative = r"\bar x_{\dots j \dots} = \sum_{k :\, i_k = j} \bar y_{\dots k \dots}"
    lifts = True
    samples = [
        Sample(real(3, 2), integer(4, high=3), axis=0),
        Sample(real(2, 3, 2), integer(2, low=-3, high=3), axis=-2),
    ]

    def check(self, x, index, *, axis):
        return {"axis": check_rows("index_select", x, index, axis)}

    def composed(self, x, index, *, axis):
        index = as_index("index_select", index).reshape(-1)
        return advanced_index(reshape(x, (1,)) if not shape_of(x) else x, index=along(axis, index))


@op
class index_add(Op):
    """x, with the slices of `source` (times `alpha`) added at these places along an axis. Repeated places add up."""

    formula = r"y_{\dots j \dots} = x_{\dots j \dots} + \alpha \sum_{k :\, i_k = j} s_{\dots k \dots}"
    derivative = r"\bar x = \bar y, \quad \bar s_{\dots k \dots} = \alpha\, \bar y_{\dots i_k \dots}"
    lifts = True
    samples = [
        Sample(real(3, 2), integer(4, high=3), real(4, 2), axis=0),
        Sample(real(2, 3), integer(2, high=3), real(2, 2), axis=1, alpha=-0.5),
    ]

    def check(self, x, index, source, *, axis, alpha):
        return {"axis": check_rows("index_add", x, index, axis, shape_of(source)), "alpha": alpha}

    def composed(self, x, index, source, *, axis, alpha=1):
        index = as_index("index_add", index).reshape(-1)
        source = source if alpha == 1 else mul(source, alpha)
        return add(x, accumulate(source, shape=shape_of(x), index=along(axis, index)))


@op
class index_copy(Op):
    """x, with the slices of `source` in place of those at these places along an axis."""

    formula = r"y_{\dots i_k \dots} = s_{\dots k \dots}, \quad y = x \text{ elsewhere}"
    derivative = r"\bar s_{\dots k \dots} = \bar y_{\dots i_k \dots}, \quad \bar x = \bar y \text{ elsewhere}"
    domain = "each place named once"
    lifts = True
    samples = [
        Sample(real(3, 2), integer(1, high=3), real(1, 2), axis=0),
        Sample(real(2, 3), integer(1, high=3), real(2, 1), axis=-1),
    ]

    def check(self, x, index, source, *, axis):
        return {"axis": check_rows("index_copy", x, index, axis, shape_of(source))}

    def composed(self, x, index, source, *, axis):
        return put(x, along(axis, as_index("index_copy", index).reshape(-1)), source)


@op
class index_fill(Op):
    """x, with one number at these places along an axis."""

    formula = r"y_{\dots i_k \dots} = v, \quad y = x \text{ elsewhere}"
    derivative = r"\bar x = \bar y, \text{ and } 0 \text{ at the places}"
    lifts = True
    samples = [
        Sample(real(3, 2), integer(2, high=3), axis=0, value=-1.5),
        Sample(real(2, 3), integer(1, high=3), axis=-1, value=0.0),
    ]

    def check(self, x, index, *, value, axis):
        return {"value": value, "axis": check_rows("index_fill", x, index, axis)}

    def composed(self, x, index, *, value, axis):
        return put(x, along(axis, as_index("index_fill", index).reshape(-1)), value)
