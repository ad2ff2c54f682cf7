"""Repeating, rolling and diagonals, and the products that are one matrix product after a reshape: all composed of simpler ops."""

from __future__ import annotations

import math
import operator

import numpy as np

from minilm.indices import positions
from minilm.ops.arguments import normalize_axes, normalize_axis, shape_of
from minilm.ops.index import accumulate, advanced_index
from minilm.ops.linalg import matmul
from minilm.ops.op import Op, op
from minilm.ops.reduce import sum
from minilm.ops.sample import Sample, real
from minilm.ops.shape import along, array_of, concat, expand, home_of, reshape, transpose


@op
class tile(Op):
    r"""The whole tensor `repeats` times along each axis. Missing leading axes are of size 1, as in NumPy's ``tile``.

    ``x.repeat(2, 3)`` is PyTorch's name for it. For each element several times in a row see `repeat_interleave`.
    """

    formula = r"y_{i j \dots} = x_{i \bmod m,\, j \bmod n,\, \dots}"
    derivative = r"\bar x_{i j \dots} = \textstyle\sum_{a, b, \dots} \bar y_{i + a m,\, j + b n,\, \dots}"
    samples = [
        Sample(real(2, 3), repeats=(2, 2)),
        Sample(real(3), repeats=(2, 1)),
        Sample(real(2, 1), repeats=3),
        Sample(real(2), repeats=0),
    ]

    def check(self, x, *, repeats):
        repeats = (repeats,) if isinstance(repeats, int | np.integer) else tuple(operator.index(n) for n in repeats)
        if any(n < 0 for n in repeats):
            raise ValueError(f"tile: nothing can be repeated {min(repeats)} times; repeats are not negative.")
        return {"repeats": (1,) * (len(shape_of(x)) - len(repeats)) + repeats}

    def composed(self, x, *, repeats):
        shape = (1,) * (len(repeats) - len(shape_of(x))) + shape_of(x)
        paired = tuple(n for size in shape for n in (1, size))
        wanted = tuple(n for pair in zip(repeats, shape, strict=True) for n in pair)
        return reshape(expand(reshape(x, paired), wanted), tuple(n * k for n, k in zip(shape, repeats, strict=True)))


@op
class repeat_interleave(Op):
    """Each element several times in a row along an axis (``axis=None``: of the flattened tensor): NumPy's ``repeat``.

    Args:
        repeats: how often; one number, or one for each place along the axis.
    """

    formula = r"y = (\underbrace{x_0, \dots, x_0}_{r_0}, \underbrace{x_1, \dots, x_1}_{r_1}, \dots)"
    derivative = r"\bar x_i = \sum_{k :\, y_k \text{ is } x_i} \bar y_k"
    samples = [
        Sample(real(2, 3), repeats=2),
        Sample(real(2, 3), repeats=[2, 0, 1], axis=1),
        Sample(real(2, 3), repeats=3, axis=-2),
    ]

    def check(self, x, *, repeats, axis):
        shape = shape_of(x)
        shape = shape or (1,)
        size = math.prod(shape) if axis is None else shape[normalize_axis("repeat_interleave", axis, len(shape))]
        if hasattr(repeats, "dtype"):
            repeats = array_of(repeats).tolist()
        counts = [operator.index(n) for n in (repeats if isinstance(repeats, tuple | list) else [repeats])]
        if (len(counts) not in (1, size)) or any(n < 0 for n in counts):
            raise ValueError(
                f"repeat_interleave: repeats {counts} do not fit {shape}: expected one number, or one for each of the {size} "
                "places, none negative."
            )
        return {"repeats": tuple(counts), "axis": axis}

    def composed(self, x, *, repeats, axis=None):
        if axis is None or not shape_of(x):
            x, axis = reshape(x, -1), 0
        axis = normalize_axis("repeat_interleave", axis, len(shape_of(x)))
        if len(repeats) == 1:
            shape, n = shape_of(x), repeats[0]
            head, tail = shape[: axis + 1], shape[axis + 1 :]
            longer = expand(reshape(x, (*head, 1, *tail)), (*head, n, *tail))
            return reshape(longer, (*head[:-1], head[-1] * n, *tail))
        return advanced_index(x, index=along(axis, np.repeat(np.arange(len(repeats)), positions(repeats))))


@op
class roll(Op):
    """The elements moved along an axis (or several) by `shift` places; what leaves at the end comes in at the beginning.

    ``axis=None`` rolls the flattened tensor, and gives it its shape back.
    """

    formula = r"y_i = x_{(i - s) \bmod n}"
    derivative = r"\bar x_i = \bar y_{(i + s) \bmod n}"
    lifts = True
    samples = [Sample(real(2, 3), shift=1), Sample(real(2, 3), shift=-4, axis=1), Sample(real(2, 3, 2), shift=(1, 2), axis=(0, -2)),
               Sample(real(0, 2), shift=1, axis=0)]  # fmt: skip

    def check(self, x, *, shift, axis):
        shifts = tuple(shift) if isinstance(shift, tuple | list) else (shift,)
        shifts = tuple(operator.index(n) for n in shifts)
        if axis is None:
            if len(shifts) != 1:
                raise ValueError(f"roll: several shifts {shifts} need as many axes.")
            return {"shift": shifts, "axis": None}
        axes = axis if isinstance(axis, tuple | list) else (axis,)
        axes = tuple(normalize_axis("roll", a, len(shape_of(x))) for a in axes)
        if len(shifts) == 1:
            shifts = shifts * len(axes)
        if len(shifts) != len(axes):
            raise ValueError(f"roll: {len(shifts)} shifts for {len(axes)} axes: give one for each.")
        return {"shift": shifts, "axis": axes}

    def composed(self, x, *, shift, axis=None):
        if axis is None:
            return reshape(roll(reshape(x, -1), shift, 0), shape_of(x))
        for n, a in zip(shift, axis, strict=True):
            cut = -n % max(shape_of(x)[a], 1)
            x = concat(x[along(a, slice(cut, None))], x[along(a, slice(cut))], axis=a)
        return x


def on_the_diagonal(xp, rows: int, columns: int, offset: int):
    """The row and column numbers of a diagonal: of the main one, or of the one `offset` columns to the right of it."""
    i = xp.arange(max(min(rows + min(offset, 0), columns - max(offset, 0)), 0))
    return i - min(offset, 0), i + max(offset, 0)


@op
class diagonal(Op):
    """The diagonal of the matrices in two axes, as the last axis of the result; or the one `offset` columns to the right of it."""

    formula = r"y_i = x_{i,\, i + k}"
    derivative = r"\bar x_{i,\, i + k} = \bar y_i, \text{ and } 0 \text{ elsewhere}"
    samples = [
        Sample(real(3, 3)),
        Sample(real(2, 3, 4), offset=1, axis1=-2, axis2=-1),
        Sample(real(3, 2), offset=-1),
        Sample(real(2, 2), offset=5),
    ]

    def check(self, x, *, offset, axis1, axis2):
        ndim = len(shape_of(x))
        if ndim < 2:
            raise ValueError(f"diagonal: expected a matrix, or several in two axes, got shape {shape_of(x)}.")
        axes = normalize_axis("diagonal", axis1, ndim), normalize_axis("diagonal", axis2, ndim)
        if axes[0] == axes[1]:
            raise ValueError(f"diagonal: axis1 and axis2 are both {axis1}.")
        return {"offset": operator.index(offset), "axis1": axes[0], "axis2": axes[1]}

    def composed(self, x, *, offset=0, axis1=0, axis2=1):
        rest = tuple(i for i in range(len(shape_of(x))) if i not in (axis1, axis2))
        x = transpose(x, (*rest, axis1, axis2))
        places = on_the_diagonal(home_of(x).xp, *shape_of(x)[-2:], offset)
        return advanced_index(x, index=(Ellipsis, *places), distinct=True)


@op
class diag_embed(Op):
    """Matrices with the last axis of x on their diagonal, or on the one `offset` columns to the right of it; 0 elsewhere."""

    formula = r"y_{i,\, i + k} = x_i, \text{ and } 0 \text{ elsewhere}"
    derivative = r"\bar x_i = \bar y_{i,\, i + k}"
    samples = [Sample(real(3)), Sample(real(2, 3), offset=-1), Sample(real(1, 2), offset=2)]

    def check(self, x, *, offset):
        if not shape_of(x):
            raise ValueError("diag_embed: expected a vector, or several in the last axis, got a tensor without axes.")
        return {"offset": operator.index(offset)}

    def composed(self, x, *, offset=0):
        *lead, n = shape_of(x)
        size = n + (offset if offset >= 0 else -offset)
        places = on_the_diagonal(home_of(x).xp, size, size, offset)
        return accumulate(x, shape=(*lead, size, size), index=(Ellipsis, *places), distinct=True)


@op
class diag(Op):
    """The diagonal of a matrix; of a vector, the matrix that has it on its diagonal. `k` names one k columns to the right of it."""

    formula = r"y_i = x_{i,\, i + k}; \quad y_{i,\, i + k} = x_i \text{ for a vector}"
    derivative = r"\bar x_{i,\, i + k} = \bar y_i; \quad \bar x_i = \bar y_{i,\, i + k}"
    samples = [Sample(real(3)), Sample(real(2), k=-1), Sample(real(3, 4), k=1)]

    def check(self, x, *, k):
        if len(shape_of(x)) not in (1, 2):
            raise ValueError(
                f"diag: expected a vector or a matrix, got shape {shape_of(x)}; see diagonal and diag_embed."
            )
        return {"k": operator.index(k)}

    def composed(self, x, *, k=0):
        return diagonal(x, offset=k) if len(shape_of(x)) == 2 else diag_embed(x, offset=k)


@op
class trace(Op):
    """The sum of the diagonal of a matrix (or of the matrices in two axes)."""

    formula = r"y = \sum_i x_{ii}"
    derivative = r"\bar x_{ij} = \bar y\, [i = j]"
    samples = [Sample(real(3, 3)), Sample(real(2, 3, 4), offset=1, axis1=1, axis2=2), Sample(real(2, 3))]

    def check(self, x, *, offset, axis1, axis2):
        return diagonal.check(x, offset=offset, axis1=axis1, axis2=axis2)

    def composed(self, x, *, offset=0, axis1=0, axis2=1):
        return sum(diagonal(x, offset=offset, axis1=axis1, axis2=axis2), -1)


@op
class outer(Op):
    """All products of an element of a with one of b. Tensors of more axes are flattened first, as in NumPy."""

    formula = r"y_{ij} = a_i b_j"
    derivative = r"\bar a_i = \sum_j \bar y_{ij} b_j, \quad \bar b_j = \sum_i \bar y_{ij} a_i"
    samples = [Sample(real(3), real(2)), Sample(real(2, 2), real(3)), Sample(real(0), real(2))]

    def composed(self, a, b):
        return reshape(a, (-1, 1) if has_elements(a) else (0, 1)) * reshape(b, (-1,))


def has_elements(x):
    return math.prod(shape_of(x)) > 0


@op
class tensordot(Op):
    """Products summed over pairs of axes.

    Args:
        axes: a number n, for the last n axes of a and the first n of b; or two lists, the axes of a and those of b in pairs.
            (PyTorch's name for it is ``dims``.)

    Raises:
        ValueError: the lists differ in length, or two axes of a pair in size.
    """

    formula = r"y_{i \dots j \dots} = \sum_{k \dots} a_{i \dots k \dots}\, b_{k \dots j \dots}"
    derivative = (
        r"\bar a_{i \dots k \dots} = \sum_{j \dots} \bar y_{i \dots j \dots}\, b_{k \dots j \dots}, \quad "
        r"\bar b_{k \dots j \dots} = \sum_{i \dots} \bar y_{i \dots j \dots}\, a_{i \dots k \dots}"
    )
    samples = [Sample(real(2, 3, 4), real(3, 4, 2)), Sample(real(2, 3), real(4, 2), axes=([0], [1])), Sample(real(2), real(3), axes=0),
               Sample(real(3, 2), real(2), axes=1)]  # fmt: skip

    def check(self, a, b, *, axes):
        first, second = shape_of(a), shape_of(b)
        if isinstance(axes, int | np.integer):
            if not 0 <= axes <= min(len(first), len(second)):
                raise ValueError(f"tensordot: {first} and {second} do not have {axes} axes each to be summed over.")
            pair = tuple(range(len(first) - axes, len(first))), tuple(range(axes))
        else:
            lists = [tuple(x) if isinstance(x, tuple | list) else (x,) for x in axes]
            if len(lists) != 2 or len(lists[0]) != len(lists[1]):
                raise ValueError(f"tensordot: axes {axes}: expected a number, or two lists of the same length.")
            pair = tuple(
                tuple(normalize_axis("tensordot", i, len(s)) for i in x)
                for x, s in zip(lists, (first, second), strict=True)
            )
            normalize_axes("tensordot", pair[0], len(first)), normalize_axes("tensordot", pair[1], len(second))
        for i, j in zip(*pair, strict=True):
            if first[i] != second[j]:
                raise ValueError(f"tensordot: axis {i} of {first} and axis {j} of {second} differ in size.")
        return {"axes": pair}

    def composed(self, a, b, *, axes=2):
        first, second = shape_of(a), shape_of(b)
        left = [i for i in range(len(first)) if i not in axes[0]]
        right = [i for i in range(len(second)) if i not in axes[1]]
        rows, columns = tuple(first[i] for i in left), tuple(second[i] for i in right)
        inner = math.prod(first[i] for i in axes[0])
        a = reshape(transpose(a, (*left, *axes[0])), (math.prod(rows), inner))
        b = reshape(transpose(b, (*axes[1], *right)), (inner, math.prod(columns)))
        return reshape(matmul(a, b), rows + columns)


@op
class dot(Op):
    """The sum of the products of two vectors: PyTorch's ``dot``. For more axes NumPy's: the last of a with the last but one of b."""

    formula = r"y = \sum_i a_i b_i"
    derivative = r"\bar a_i = \bar y\, b_i, \quad \bar b_i = \bar y\, a_i"
    samples = [
        Sample(real(3), real(3)),
        Sample(real(2, 3), real(3, 2)),
        Sample(real(2, 3), real(2, 3, 2)),
        Sample(real(2), real()),
    ]

    def composed(self, a, b):
        if not shape_of(a) or not shape_of(b):
            return a * b
        if len(shape_of(b)) <= 2:
            return matmul(a, b)
        return tensordot(a, b, axes=([-1], [-2]))


@op
class moveaxis(Op):
    """Axes moved to other places; the others keep their order. PyTorch's name is ``movedim``."""

    formula = r"y_{\dots i \dots} = x_{i \dots}"
    derivative = r"\bar x = \operatorname{moveaxis}(\bar y, \text{destination}, \text{source})"
    view = True
    samples = [
        Sample(real(2, 3, 4), source=0, destination=-1),
        Sample(real(2, 3, 4), source=(0, 1), destination=(2, 0)),
    ]

    def check(self, x, *, source, destination):
        ndim = len(shape_of(x))
        pair = [axes if isinstance(axes, tuple | list) else (axes,) for axes in (source, destination)]
        found = [tuple(normalize_axis("moveaxis", i, ndim) for i in axes) for axes in pair]
        if len(found[0]) != len(found[1]) or any(len(set(axes)) < len(axes) for axes in found):
            raise ValueError(
                f"moveaxis: source {source} and destination {destination} must be as many axes, each once."
            )
        return {"source": found[0], "destination": found[1]}

    def composed(self, x, *, source, destination):
        order = [i for i in range(len(shape_of(x))) if i not in source]
        for to, axis in sorted(zip(destination, source, strict=True)):
            order.insert(to, axis)
        return transpose(x, tuple(order))
