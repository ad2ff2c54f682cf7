r"""Indexing: choosing elements, and putting gradients back where they came from.

NumPy knows two kinds. A *basic* index (integers, slices, None, ...) gives a view: every element is chosen at most once, so the
gradient is written into zeros. An *advanced* index (integer arrays, boolean masks) gives a copy, and may choose an element
several times: its gradients add up. Choosing and putting back are each other's gradients, to every order.
"""

from __future__ import annotations

import operator

import numpy as np

from minilm.backend import DeviceError, cpu, device_of, to_device
from minilm.ops.arguments import normalize_axis, shape_of
from minilm.ops.arithmetic import where
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, integer, mask, real
from minilm.ops.shape import array_of, drop, home_of


@op
class getitem(Op):
    r"""``x[index]``, with NumPy's rules: integers, slices, ``None``, ``...``, integer arrays, masks, or a tuple of these.

    Arrays may be Tensors, arrays, lists, ranges, or tuples inside the tuple; those on the CPU are copied to the device of x. A
    negative number counts from the end. An integer array on a GPU is not checked against the size, since looking at it would
    wait: CuPy wraps it round.

    Raises:
        IndexError: too many axes, a number out of range, a mask of another shape, or arrays that do not broadcast.
        TypeError: something that is no index.
        DeviceError: an index on a GPU, x on another device.
    """

    formula = r"y_k = x_{i(k)}"
    derivative = r"\bar x_j = \sum_{k :\, i(k) = j} \bar y_k"
    samples = [
        Sample(real(3, 4), index=1),
        Sample(real(3, 4), index=(slice(None), slice(None, None, -2))),
        Sample(real(3, 4), index=(Ellipsis, None, 0)),
        Sample(real(3, 4), index=([0, 2, 0, -1],)),
        Sample(real(3, 4), index=(slice(1, 3), [0, 0])),
        Sample(real(3, 4), index=([[0], [2]], [1, 1, 3])),
        Sample(real(2, 3), index=[True, False]),
        Sample(real(2, 3, 2), index=([0, 1], slice(None), [1, 1])),
        Sample(real(2, 3), index=([[True, False, True], [False, False, True]],)),
        Sample(real(3), index=([],)),
        Sample(real(), index=()),
    ]

    def composed(self, x, *, index):
        items = tuple(as_item(i) for i in (index if isinstance(index, tuple) else (index,)))
        chosen = advanced_index if any(map(is_array, items)) else basic_index
        return chosen(x, index=items)


@op
class basic_index(Op):
    """A view of the elements that integers, slices, None and ... choose."""

    formula = r"y_k = x_{i(k)}"
    derivative = r"\bar x_{i(k)} = \bar y_k, \text{ and } 0 \text{ elsewhere}"
    view = True
    speaks_as = "getitem"
    samples = [
        Sample(real(3, 4), index=(1, slice(None, None, 2))),
        Sample(real(3, 4), index=(Ellipsis, slice(3, 0, -1), None)),
        Sample(real(2), index=(0,)),
    ]

    def check(self, x, *, index):
        items = resolve(shape_of(x), index, home_of(x))
        return {
            "index": items if Ellipsis in items else (*items, Ellipsis)
        }  # with ... NumPy gives a view, never a scalar

    def forward(self, dev, x, *, index):
        return x[index]

    def grad_x(self, g, _y, _x, *, index):
        return place(g, shape=_x.shape, index=index)


@op
class place(Op):
    """Zeros of `shape` with the input at a basic index: the gradient of `basic_index`."""

    formula = r"y_{i(k)} = x_k, \text{ and } 0 \text{ elsewhere}"
    derivative = r"\bar x_k = \bar y_{i(k)}"
    samples = [
        Sample(real(3), shape=(2, 3), index=(1, Ellipsis)),
        Sample(real(2, 2), shape=(2, 3), index=(Ellipsis, slice(None, None, -2))),
    ]

    def forward(self, dev, x, *, shape, index):
        y = dev.xp.zeros(tuple(shape), x.dtype)  # NumPy 2.2 would take None for (), and warn
        y[index] = x
        return y

    def grad_x(self, g, _y, _x, *, shape, index):
        return basic_index(g, index=index)


@op
class advanced_index(Op):
    """A copy of the elements that integer arrays or masks choose. `distinct`: none is chosen twice."""

    formula = r"y_k = x_{i(k)}"
    derivative = r"\bar x_j = \sum_{k :\, i(k) = j} \bar y_k"
    speaks_as = "getitem"
    samples = [
        Sample(real(3, 2), index=(np.array([0, 2, 0]),)),
        Sample(real(3, 2), index=(np.array([True, False, True]),)),
        Sample(real(2, 3), index=(0, np.array([[1, 1], [2, -1]]))),
    ]

    def check(self, x, *, index, distinct):
        masks_only = all(item.dtype.kind == "b" for item in index if is_array(item))
        return {"index": resolve(shape_of(x), index, home_of(x)), "distinct": distinct or masks_only}

    def forward(self, dev, x, *, index, distinct=False):
        return x[index]

    def grad_x(self, g, _y, _x, *, index, distinct):
        return accumulate(g, shape=_x.shape, index=index, distinct=distinct)


@op
class accumulate(Op):
    """Zeros of `shape` to which the input is added at an advanced index: the gradient of `advanced_index`."""

    formula = r"y_j = \sum_{k :\, i(k) = j} x_k"
    derivative = r"\bar x_k = \bar y_{i(k)}"
    wide = True
    samples = [
        Sample(real(3, 2), shape=(3, 2), index=(np.array([0, 2, 0]),)),
        Sample(real(2), shape=(3,), index=(np.array([2, 0]),), distinct=True),
    ]

    def check(self, x, *, shape, index, distinct):
        return {"shape": shape, "index": resolve(shape, index, home_of(x)), "distinct": distinct}

    def forward(self, dev, x, *, shape, index, distinct=False):
        if not distinct:
            return dev.scatter_add(shape, x.dtype, index, x)
        y = dev.xp.zeros(shape, x.dtype)
        y[index] = x
        return y

    def grad_x(self, g, _y, _x, *, shape, index, distinct):
        return advanced_index(g, index=index, distinct=distinct)


@op
class gather(Op):
    r"""For every place along an axis the element whose number there `index` names: NumPy's ``take_along_axis``.

    Shapes: x ``(..., n, ...)``, index ``(..., m, ...)`` of integers, output that of index. The other axes agree: NumPy would
    broadcast them and PyTorch cut them off, so neither is done here.
    """

    formula = r"y_{\dots k \dots} = x_{\dots i_{\dots k \dots} \dots}"
    derivative = r"\bar x_{\dots j \dots} = \sum_{k :\, i_{\dots k \dots} = j} \bar y_{\dots k \dots}"
    samples = [
        Sample(real(2, 3), integer(2, 4, high=3), axis=1),
        Sample(real(3, 2), integer(1, 2, high=3), axis=0),
        Sample(real(2, 3, 2), integer(2, 2, 2, low=-3, high=3), axis=-2),
        Sample(real(3), integer(0, high=3), axis=0),
    ]

    lifts = True

    def check(self, x, index, *, axis):
        have, chosen = shape_of(x), shape_of(index)
        axis = normalize_axis("gather", axis, len(have))
        if len(have) != len(chosen) or drop(have, axis) != drop(chosen, axis):
            raise ValueError(f"gather: index {chosen} does not fit {have}: all axes but axis {axis} must agree.")
        return {"axis": axis}

    def composed(self, x, index, *, axis):
        xp = home_of(x).xp
        numbers = [xp.arange(n).reshape(-1, *(1,) * (x.ndim - d - 1)) for d, n in enumerate(x.shape)]
        numbers[axis] = index
        return getitem(x, index=tuple(numbers))


@op
class masked_fill(Op):
    r"""One number where the mask holds, x elsewhere. Attention fills in :math:`-\infty` where a token may not look."""

    formula = r"y = [\lnot m]\, x + [m]\, v"
    derivative = r"\bar x = \bar y\, [\lnot m]"
    broadcasts = True
    samples = [
        Sample(real(2, 3), mask(2, 3), value=-1.5),
        Sample(real(2, 3), mask(3), value=0),
        Sample(real(3, 1), mask(2, 1, 2), value=2.0),
        Sample(real(0), mask(0), value=1.0),
    ]

    def check(self, x, mask, *, value):
        if array_of(mask).dtype.kind != "b":
            raise TypeError(f"masked_fill: the mask is {mask.dtype}, expected bool; compare it first: mask != 0.")
        if not isinstance(value, int | float | np.number):
            raise TypeError(
                f"masked_fill: value is a {type(value).__name__}, expected a number; use where for a tensor."
            )
        return {"value": value.item() if isinstance(value, np.number) else value}

    def forward(self, dev, x, mask, *, value):
        return dev.xp.where(mask, value, x)

    def grad_x(self, g, _y, _x, mask, *, value):
        return where(mask, 0.0, g)


def as_item(item):
    """One part of an index as an int, a slice of ints, None, ..., or an array.

    Raises:
        TypeError: it is none of these, nor can be made one.
    """
    if item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        return slice(
            *(bound if bound is None else as_bound(bound, item) for bound in (item.start, item.stop, item.step))
        )
    if isinstance(item, bool | np.bool_):
        raise TypeError("getitem: True and False are no indices; use 0 and 1, or a mask of the shape of the tensor.")
    if isinstance(item, list | tuple | range):
        array = np.asarray(item)
        item = array.astype(np.int64) if array.size == 0 else array
    # A Tensor may change after this; what the gradient will use may not.
    array = item.data.copy() if hasattr(type(item), "__minilm_op__") else item
    kind = getattr(getattr(array, "dtype", None), "kind", "iu" if isinstance(array, int) else None)
    if kind is None or kind not in "iub":
        what = type(item).__name__ if kind is None else f"{array.dtype} array"
        raise TypeError(
            f"getitem: a {what} is no index: expected integers, slices, None, ..., or arrays of int or bool."
        )
    if kind == "b" and array.ndim == 0:
        raise TypeError("getitem: a mask without axes is no index; use where, or a mask of the shape of the tensor.")
    return array if shape_of(array) else int(array)


def as_bound(bound, item):
    """The start, stop or step of a slice as an int."""
    try:
        return operator.index(bound)
    except TypeError:
        raise TypeError(f"getitem: {show_item(item)}: the bounds of a slice are integers, got {bound!r}.") from None


def is_array(item):
    """Whether a part of an index makes it an advanced one."""
    return hasattr(item, "dtype")


def resolve(shape, index, device):
    """An index with its arrays on `device` and its masks as integer arrays, held against a shape.

    Raises:
        IndexError: it does not fit the shape.
        DeviceError: an array is on another device, and not on the CPU.
    """
    used = sum(axes_used(item) for item in index)
    if used > len(shape):
        raise IndexError(f"{show(index, shape)}: it names {used} axes, the tensor has {len(shape)}.")
    if sum(item is Ellipsis for item in index) > 1:
        raise IndexError(f"{show(index, shape)}: '...' may stand in it once only.")
    items, axis = [], 0
    for item in index:
        if is_array(item):
            items += resolve_array(item, axis, shape, index, device)
        else:
            if isinstance(item, int) and not -shape[axis] <= item < shape[axis]:
                raise IndexError(
                    f"{show(index, shape)}: {item} is out of range for axis {axis}, of size {shape[axis]}."
                )
            items.append(item)
        axis += len(shape) - used if item is Ellipsis else axes_used(item)
    shapes = [item.shape for item in items if is_array(item)]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise IndexError(f"{show(index, shape)}: arrays of shapes {shapes} do not broadcast to one.") from None
    return tuple(items)


def resolve_array(array, axis, shape, index, device):
    """An index array as integer arrays on `device`: one, or one for each axis that a mask covers from `axis` on."""
    home, size = device_of(array), shape[axis]
    if home not in (cpu, device):
        raise DeviceError(
            f"{show(index, shape)} is on {home.name}, the tensor on {device.name}; move one with .to(...)."
        )
    if array.dtype.kind == "b":
        covered = shape[axis : axis + array.ndim]
        if array.shape != covered:
            raise IndexError(f"{show(index, shape)}: the mask has shape {array.shape}, the axes under it {covered}.")
        return [to_device(numbers, device) for numbers in home.xp.nonzero(array)]
    if home is cpu and array.size and not (-size <= array.min() and array.max() < size):
        wrong = array[(array < -size) | (array >= size)][0]
        raise IndexError(f"{show(index, shape)}: {wrong} is out of range for axis {axis}, of size {size}.")
    return [to_device(array, device)]


def axes_used(item):
    """How many axes of the tensor a part of an index stands for."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if is_array(item) and item.dtype.kind == "b" else 1


def show(index, shape):
    """The beginning of an error's text."""
    return f"getitem: index [{', '.join(map(show_item, index))}] on shape {shape}"


def show_item(item):
    """A part of an index as the user wrote it; an array as its dtype and shape."""
    if item is Ellipsis:
        return "..."
    if isinstance(item, slice):
        bounds = [item.start, item.stop] + ([] if item.step is None else [item.step])
        return ":".join("" if bound is None else str(bound) for bound in bounds)
    return f"{item.dtype} {item.shape}" if is_array(item) else str(item)
