"""What PyTorch and NumPy have functions for and one or two records say: each is a line of these, for arrays and Tensors alike.

They are methods too (`minilm.methods`). Where the two libraries mean different things by one name, the docstring says whose
meaning it has here.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minilm.ops.activation import clip
from minilm.ops.arguments import normalize_axis, shape_of
from minilm.ops.arithmetic import add as _add
from minilm.ops.arithmetic import div as _div
from minilm.ops.arithmetic import mul, where
from minilm.ops.arithmetic import sub as _sub
from minilm.ops.arrange import outer, repeat_interleave, tensordot
from minilm.ops.index import gather as _gather
from minilm.ops.linalg import matmul
from minilm.ops.logic import all, isclose, isnan, isneginf, isposinf
from minilm.ops.reduce import max as largest
from minilm.ops.reduce import mean, std, sum, var
from minilm.ops.reduce import min as smallest
from minilm.ops.rounding import floor_divide, trunc_divide
from minilm.ops.scatter import index_add as _index_add
from minilm.ops.scatter import index_copy as _index_copy
from minilm.ops.scatter import index_fill as _index_fill
from minilm.ops.scatter import index_select as _index_select
from minilm.ops.scatter import scatter as _scatter
from minilm.ops.scatter import scatter_add as _scatter_add
from minilm.ops.shape import along, concat, expand, reshape, split, squeeze, transpose, unsqueeze


def by_dim_or_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """Lets a function with a parameter `dim`, as PyTorch calls it, or `axis`, as NumPy does, be called with either name.

    So too with `keepdim` and `keepdims`.
    """
    own = "dim" if "dim" in inspect.signature(function).parameters else "axis"
    other = "axis" if own == "dim" else "dim"

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        for theirs, ours in ((other, own), ("keepdim", "keepdims")):
            if theirs in named and ours not in named:
                named[ours] = named.pop(theirs)
        return function(*arguments, **named)

    return call


# -- arithmetic -------------------------------------------------------------------------------------------------------


def add(a, b, alpha=1):
    """a + alpha b."""
    return _add(a, b if alpha == 1 else mul(b, alpha))


def sub(a, b, alpha=1):
    """a - alpha b."""
    return _sub(a, b if alpha == 1 else mul(b, alpha))


def div(a, b, rounding_mode=None):
    """a / b; rounded down with ``rounding_mode="floor"`` (as ``//`` does), towards 0 with ``"trunc"`` (as C does).

    Raises:
        ValueError: `rounding_mode` is something else.
    """
    modes = {None: _div, "floor": floor_divide, "trunc": trunc_divide}
    if rounding_mode not in modes:
        raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}.")
    return modes[rounding_mode](a, b)


def addmm(x, a, b, beta=1, alpha=1):
    """beta x + alpha a b, with a matrix product."""
    return _add(x if beta == 1 else mul(x, beta), matmul(a, b) if alpha == 1 else mul(matmul(a, b), alpha))


def addcmul(x, a, b, value=1):
    """x + value a b, element by element."""
    return add(x, mul(a, b), alpha=value)


def addcdiv(x, a, b, value=1):
    """x + value a / b, element by element."""
    return add(x, _div(a, b), alpha=value)


def deg2rad(x):
    """Degrees as radians."""
    return mul(x, math.pi / 180.0)


def rad2deg(x):
    """Radians as degrees."""
    return mul(x, 180.0 / math.pi)


def clamp_min(x, low):
    """Elements below `low` raised to it."""
    return clip(x, low=low)


def clamp_max(x, high):
    """Elements above `high` lowered to it."""
    return clip(x, high=high)


@by_dim_or_axis
def nansum(x, axis=None, keepdims=False):
    """The sum of the elements that are not NaN."""
    return sum(where(isnan(x), 0.0, x), axis=axis, keepdims=keepdims)


@by_dim_or_axis
def nanmean(x, axis=None, keepdims=False):
    """The mean of the elements that are not NaN."""
    return nansum(x, axis, keepdims) / sum(where(isnan(x), 0.0, 1.0), axis=axis, keepdims=keepdims)


@by_dim_or_axis
def var_mean(x, axis=None, correction=1, keepdims=False):
    """The variance and the mean: a pair."""
    return var(x, axis=axis, keepdims=keepdims, correction=correction), mean(x, axis=axis, keepdims=keepdims)


@by_dim_or_axis
def std_mean(x, axis=None, correction=1, keepdims=False):
    """The standard deviation and the mean: a pair."""
    return std(x, axis=axis, keepdims=keepdims, correction=correction), mean(x, axis=axis, keepdims=keepdims)


class Extremes(NamedTuple):
    """The smallest and the largest element."""

    min: Any
    max: Any


@by_dim_or_axis
def aminmax(x, axis=None, keepdims=False):
    """The smallest and the largest element: a pair."""
    return Extremes(smallest(x, axis=axis, keepdims=keepdims), largest(x, axis=axis, keepdims=keepdims))


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """x with other numbers for NaN and the infinities; default: 0, and the largest and the lowest number of the type."""
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    x = where(isnan(x), float(nan or 0.0), x)
    x = where(isposinf(x), float(limits.max if posinf is None else posinf), x)
    return where(isneginf(x), float(limits.min if neginf is None else neginf), x)


# -- comparing --------------------------------------------------------------------------------------------------------


def eq(a, b):
    """Where a = b."""
    return a == b


def ne(a, b):
    """Where a differs from b."""
    return a != b


def lt(a, b):
    """Where a < b."""
    return a < b


def le(a, b):
    """Where a <= b."""
    return a <= b


def gt(a, b):
    """Where a > b."""
    return a > b


def ge(a, b):
    """Where a >= b."""
    return a >= b


def logical_not(x):
    """Where x is 0 (or False)."""
    return x == 0


def logical_and(a, b):
    """Where neither is 0."""
    return (a != 0) & (b != 0)


def logical_or(a, b):
    """Where one of them is not 0."""
    return (a != 0) | (b != 0)


def logical_xor(a, b):
    """Where exactly one of them is not 0."""
    return (a != 0) != (b != 0)


def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all of a is near b, as `isclose` has it: a bool. On a GPU this waits."""
    return bool(all(isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)))


def equal(a, b):
    """Whether a and b have one shape and the same elements: a bool, as PyTorch's `equal`. On a GPU this waits."""
    return shape_of(a) == shape_of(b) and bool(all(a == b))


# -- shapes -----------------------------------------------------------------------------------------------------------


def flatten(x, start_dim=0, end_dim=-1):
    """The axes from `start_dim` to `end_dim` as one; all of them by default, and one axis for a tensor without any."""
    shape = shape_of(x)
    if not shape:
        return reshape(x, (1,))
    start, end = normalize_axis("flatten", start_dim, len(shape)), normalize_axis("flatten", end_dim, len(shape))
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}.")
    return reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@by_dim_or_axis
def unflatten(x, dim, sizes):
    """One axis as several, of these sizes; one may be -1."""
    shape = shape_of(x)
    axis = normalize_axis("unflatten", dim, len(shape))
    part, known = tuple(sizes), math.prod(n for n in sizes if n != -1)
    if -1 in part and known:
        part = tuple(shape[axis] // known if n == -1 else n for n in part)
    if math.prod(part) != shape[axis] or -1 in part:
        raise ValueError(f"unflatten: sizes {tuple(sizes)} do not fill axis {axis} of {shape}, which is {shape[axis]}.")
    return reshape(x, (*shape[:axis], *part, *shape[axis + 1 :]))


def ravel(x):
    """All elements along one axis."""
    return reshape(x, (math.prod(shape_of(x)),))


def permute(x, *dims):
    """The axes in the order given: ``permute(x, (2, 0, 1))``, or as a method ``x.permute(2, 0, 1)``."""
    return transpose(x, axes=one_or_many(dims))


def t(x):
    """A matrix transposed; a vector or a number as it is.

    Raises:
        ValueError: there are more than 2 axes.
    """
    if len(shape_of(x)) > 2:
        raise ValueError(f"t: expected a matrix, got shape {shape_of(x)}; use x.mT, swapaxes or permute.")
    return transpose(x)


def broadcast_to(x, shape):
    """x repeated to a shape without copying: `expand`, under NumPy's name."""
    return expand(x, shape=tuple(shape))


def one_or_many(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    return tuple(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], tuple | list) else tuple(arguments)


def atleast_1d(x):
    """x, with an axis where it has none."""
    return x if shape_of(x) else reshape(x, (1,))


def atleast_2d(x):
    """x, with as many leading axes of size 1 as make two axes."""
    return x if len(shape_of(x)) >= 2 else reshape(x, (1,) * (2 - len(shape_of(x))) + shape_of(x))


def hstack(*xs):
    """Tensors side by side: along axis 1, vectors along their only axis. ``hstack((a, b))`` and ``hstack(a, b)`` are the same."""
    xs = [atleast_1d(x) for x in one_or_many(xs)]
    return concat(*xs, axis=0 if xs and len(shape_of(xs[0])) == 1 else 1)


def vstack(*xs):
    """Tensors one below the other: along axis 0, vectors as rows."""
    return concat(*(atleast_2d(x) for x in one_or_many(xs)), axis=0)


def dstack(*xs):
    """Tensors one behind the other: along axis 2; a matrix gets that axis, a vector is a row first."""
    return concat(*(x if len(shape_of(x)) >= 3 else unsqueeze(atleast_2d(x), 2) for x in one_or_many(xs)), axis=2)


def column_stack(*xs):
    """Tensors side by side, vectors as columns."""
    return concat(*(x if len(shape_of(x)) >= 2 else reshape(x, (-1, 1)) for x in one_or_many(xs)), axis=1)


@by_dim_or_axis
def append(x, values, axis=None):
    """`values` after x along an axis; both flattened, where `axis` is None. NumPy's `append`: it returns a new tensor."""
    return concat(ravel(x), ravel(values)) if axis is None else concat(x, values, axis=axis)


@by_dim_or_axis
def chunk(x, chunks, dim=0):
    """`chunks` pieces along an axis, the last of which may be smaller; fewer pieces, where they come out so. A tuple."""
    chunks, shape = operator.index(chunks), shape_of(x)
    if chunks < 1:
        raise ValueError(f"chunk: expected at least 1 piece, got {chunks}.")
    axis = normalize_axis("chunk", dim, len(shape))
    size = -(-shape[axis] // chunks)
    return split(x, [min(size, shape[axis] - i) for i in range(0, shape[axis], size)] if size else [0] * chunks, axis)


@by_dim_or_axis
def tensor_split(x, sections, dim=0):
    """`sections` pieces along an axis whose sizes differ by 1 at most, the larger first: NumPy's `array_split`.

    A list cuts before each of its places instead. A tuple.
    """
    axis = normalize_axis("tensor_split", dim, len(shape_of(x)))
    size = shape_of(x)[axis]
    if isinstance(sections, tuple | list):
        ends = [0, *(min(max(n + size if n < 0 else n, 0), size) for n in sections), size]
        return tuple(x[along(axis, slice(a, max(a, b)))] for a, b in itertools.pairwise(ends))
    n, more = divmod(size, operator.index(sections))
    return split(x, [n + (i < more) for i in range(sections)], axis)


@by_dim_or_axis
def unbind(x, dim=0):
    """The slices along an axis, without it. A tuple."""
    axis = normalize_axis("unbind", dim, len(shape_of(x)))
    n = shape_of(x)[axis]
    return tuple(squeeze(part, axis) for part in split(x, n, axis)) if n else ()


@by_dim_or_axis
def narrow(x, dim, start, length):
    """The slice of an axis that begins at `start` and has this length."""
    axis = normalize_axis("narrow", dim, len(shape_of(x)))
    size = shape_of(x)[axis]
    start = operator.index(start)
    start = start + size if start < 0 else start
    if not (0 <= start <= size and 0 <= length <= size - start):
        raise IndexError(f"narrow: {length} places from {start} on do not lie within axis {axis} of {shape_of(x)}.")
    return x[along(axis, slice(start, start + length))]


@by_dim_or_axis
def select(x, dim, index):
    """One place along an axis, which goes."""
    return x[along(normalize_axis("select", dim, len(shape_of(x))), operator.index(index))]


@by_dim_or_axis
def diff(x, n=1, axis=-1):
    """The differences of neighbors along an axis, n times."""
    axis = normalize_axis("diff", axis, len(shape_of(x)))
    for _ in range(operator.index(n)):
        x = x[along(axis, slice(1, None))] - x[along(axis, slice(-1))]
    return x


def fliplr(x):
    """The columns in reverse order."""
    return x[:, ::-1]


def flipud(x):
    """The rows in reverse order."""
    return x[::-1]


def hsplit(x, sections):
    """`tensor_split` along axis 1 (a vector's only axis)."""
    return tensor_split(x, sections, 0 if len(shape_of(x)) == 1 else 1)


def vsplit(x, sections):
    """`tensor_split` along axis 0."""
    return tensor_split(x, sections, 0)


def rot90(x, k=1, dims=(0, 1)):
    """Turned by k quarter turns from the first of two axes towards the second."""
    a, b = (normalize_axis("rot90", axis, len(shape_of(x))) for axis in dims)
    backwards = slice(None, None, -1)
    if k % 4 == 2:
        return x[along(a, backwards)][along(b, backwards)]
    order = [b if i == a else a if i == b else i for i in range(len(shape_of(x)))]
    if k % 4 == 1:
        return transpose(x[along(b, backwards)], order)
    return transpose(x, order)[along(b, backwards)] if k % 4 == 3 else x


def meshgrid(*xs, indexing="ij"):
    """The coordinates of a grid: for each vector a tensor with one axis for each of them, along which it varies alone.

    ``indexing="ij"`` is PyTorch's default: the first vector varies along axis 0. With ``"xy"``, NumPy's, the first two change places.
    """
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}.")
    xs = [atleast_1d(x) for x in one_or_many(xs)]
    order = [1, 0, *range(2, len(xs))] if indexing == "xy" and len(xs) > 1 else list(range(len(xs)))
    shape = tuple(shape_of(xs[i])[0] for i in order)
    return tuple(expand(reshape(x, (*(-1 if i == j else 1 for j in order),)), shape) for i, x in enumerate(xs))


# -- repeating --------------------------------------------------------------------------------------------------------


@by_dim_or_axis
def repeat(x, repeats, axis=None):
    """Each element several times in a row: NumPy's `repeat`, PyTorch's `repeat_interleave`.

    The method ``x.repeat(2, 3)`` is PyTorch's, which repeats the whole tensor along each axis: `tile`.
    """
    return repeat_interleave(x, repeats, axis)


# -- products ---------------------------------------------------------------------------------------------------------


def inner(a, b):
    """Products summed over the last axis of both."""
    return tensordot(a, b, axes=([-1], [-1])) if shape_of(a) and shape_of(b) else a * b


def kron(a, b):
    """The Kronecker product: each element of a times the whole of b, block by block."""
    first, second = shape_of(a), shape_of(b)
    ndim = max(len(first), len(second))
    first, second = (1,) * (ndim - len(first)) + first, (1,) * (ndim - len(second)) + second
    a = reshape(a, tuple(n for size in first for n in (size, 1)))
    b = reshape(b, tuple(n for size in second for n in (1, size)))
    return reshape(a * b, tuple(m * n for m, n in zip(first, second, strict=True)))


ger = outer

# -- indexing: PyTorch's functions name the axis before the index ------------------------------------------------------


def dim_first(record: Any) -> Callable[..., Any]:
    """A record with inputs (x, index, ...) and a parameter `axis`, called as PyTorch does: ``f(x, dim, index, ...)``.

    By name, and with the axis last, it can be called as well.
    """

    def call(x, *arguments, **named):
        if arguments and isinstance(arguments[0], int | np.integer) and not isinstance(arguments[0], bool):
            return record(x, *arguments[1:], axis=int(arguments[0]), **named)
        return record(x, *arguments, **named)

    call.__name__ = call.__qualname__ = record.name
    call.__doc__ = (
        f"{(record.__doc__ or '').strip()}\n\nCalled as ``{record.name}(x, dim, {', '.join(record.input_names[1:])})``."
    )
    return call


gather, scatter, scatter_add = dim_first(_gather), dim_first(_scatter), dim_first(_scatter_add)
index_select, index_add = dim_first(_index_select), dim_first(_index_add)
index_copy, index_fill = dim_first(_index_copy), dim_first(_index_fill)


@by_dim_or_axis
def take_along_axis(x, indices, axis=-1):
    """For every place along an axis the element that `indices` names there: NumPy's name for `gather`."""
    return _gather(x, indices, axis=axis)


@by_dim_or_axis
def take(x, index, axis=None):
    """The elements at these places along an axis, of the flattened tensor for ``axis=None``, in the shape of the index."""
    if axis is None:
        return ravel(x)[index]
    return x[along(normalize_axis("take", axis, len(shape_of(x))), index)]


def masked_select(x, mask):
    """The elements where the mask holds, along one axis. The mask is broadcast. On a GPU this waits: how many are they?"""
    shape = np.broadcast_shapes(shape_of(x), shape_of(mask))
    return expand(x, shape)[expand(mask, shape)]


__all__ = [
    "add", "addcdiv", "addcmul", "addmm", "allclose", "aminmax", "append", "atleast_1d", "atleast_2d", "broadcast_to",
    "chunk", "clamp_max", "clamp_min", "column_stack", "deg2rad", "diff", "div", "dstack", "eq", "equal", "flatten", "fliplr",
    "flipud", "gather", "ge", "ger", "gt", "hsplit", "hstack", "index_add", "index_copy", "index_fill", "index_select",
    "inner", "kron", "le", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "masked_select", "meshgrid",
    "nan_to_num", "nanmean", "nansum", "narrow", "ne", "permute", "rad2deg", "ravel", "repeat", "rot90", "scatter",
    "scatter_add", "select", "std_mean", "sub", "t", "take", "take_along_axis", "tensor_split", "unbind", "unflatten",
    "var_mean", "vsplit", "vstack",
]  # fmt: skip
