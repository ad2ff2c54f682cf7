"""Ops that move numbers without changing them: their gradients move them back."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np

from minilm.backend import device_of, get_device, to_device
from minilm.ops.arguments import normalize_axes, normalize_axis, shape_of
from minilm.ops.op import Op, op
from minilm.ops.sample import Sample, real


@op
class reshape(Op):
    r"""The same numbers in the same (row-major) order under another shape. One size may be -1: it is worked out."""

    formula = r"y_{[k]} = x_{[k]} \text{ in row-major order}"
    derivative = r"\bar x = \operatorname{reshape}(\bar y)"
    view = True
    samples = [Sample(real(2, 3), shape=(3, 2)), Sample(real(2, 3), shape=(-1,)), Sample(real(), shape=(1, 1)),
               Sample(real(1), shape=()), Sample(real(0, 3), shape=(3, 0))]  # fmt: skip

    def check(self, x, *, shape):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size, rest, unknown = x.size, math.prod(shape), shape.count(-1)
        if unknown > 1:
            raise ValueError(f"reshape: only one size may be -1, got {shape}.")
        if unknown:
            rest = -rest  # the product of the others
        if (unknown and (rest == 0 or size % rest)) or (not unknown and rest != size) or min(shape, default=0) < -1:
            raise ValueError(f"reshape: {shape_of(x)} holds {size} numbers, which do not fill {shape}.")
        return {"shape": tuple([size // rest if n == -1 else int(n) for n in shape])}

    def forward(self, dev, x, *, shape):
        return x.reshape(shape)

    def grad_x(self, g, _y, _x, *, shape):
        return g.reshape(_x.shape)


@op
class transpose(Op):
    r"""The axes in another order: axis i of the output is axis ``axes[i]`` of the input. Default: reversed."""

    formula = r"y_{i_{p_0} i_{p_1} \dots} = x_{i_0 i_1 \dots}"
    derivative = r"\bar x = \operatorname{transpose}(\bar y, p^{-1})"
    view = True
    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3, 4), axes=(2, 0, 1)),
        Sample(real(), axes=None),
        Sample(real(2, 0, 1), axes=(1, 2, 0)),
    ]

    def check(self, x, *, axes):
        order = (
            tuple(range(x.ndim))[::-1] if axes is None else tuple(normalize_axis("transpose", a, x.ndim) for a in axes)
        )
        if sorted(order) != list(range(x.ndim)):
            raise ValueError(f"transpose: axes {axes} are no order of the {x.ndim} axes of {shape_of(x)}.")
        return {"axes": order}

    def forward(self, dev, x, *, axes=None):
        return x.transpose(axes)

    def grad_x(self, g, _y, _x, *, axes):
        return g.transpose(tuple(axes.index(i) for i in range(len(axes))))


@op
class expand(Op):
    r"""The input repeated along axes of size 1, and along new leading axes, without copying (NumPy's broadcasting)."""

    formula = r"y_{\dots i j \dots} = x_{\dots 0 j \dots}"
    derivative = r"\bar x = \textstyle\sum_{\text{repeated axes}} \bar y"
    broadcasts = True
    view = True
    samples = [
        Sample(real(3, 1), shape=(3, 4)),
        Sample(real(3), shape=(2, 3)),
        Sample(real(), shape=(2, 2)),
        Sample(real(2), shape=(2,)),
    ]

    def check(self, x, *, shape):
        have, shape = shape_of(x), tuple(shape)
        padded = (1,) * (len(shape) - len(have)) + have
        if len(padded) != len(shape) or any(m not in (1, n) for m, n in zip(padded, shape, strict=True)):
            raise ValueError(f"expand: {have} does not broadcast to {shape}: only axes of size 1 can be repeated.")
        return {"shape": shape}

    def forward(self, dev, x, *, shape):
        return dev.xp.broadcast_to(x, shape)

    def grad_x(self, g, _y, _x, *, shape):
        return g


@op
class swapaxes(Op):
    """Two axes exchanged."""

    lifts = True
    formula = r"y_{\dots j \dots i \dots} = x_{\dots i \dots j \dots}"
    derivative = r"\bar x = \operatorname{swapaxes}(\bar y)"
    view = True
    samples = [
        Sample(real(2, 3, 4), axis0=0, axis1=-1),
        Sample(real(2, 3), axis0=1, axis1=1),
        Sample(real(2, 0, 1), axis0=0, axis1=1),
    ]

    def check(self, x, *, axis0, axis1):
        n = x.ndim
        return {"axis0": normalize_axis("swapaxes", axis0, n), "axis1": normalize_axis("swapaxes", axis1, n)}

    def forward(self, dev, x, *, axis0, axis1):
        return x.swapaxes(axis0, axis1)

    def grad_x(self, g, _y, _x, *, axis0, axis1):
        return g.swapaxes(axis0, axis1)


@op
class squeeze(Op):
    r"""The same numbers without the axes of size 1: all of them (``axis=None``), or those named.

    Raises:
        ValueError: a named axis has another size (PyTorch would leave it).
    """

    formula = r"y_{\dots i \dots} = x_{\dots 0 i 0 \dots}"
    derivative = r"\bar x = \operatorname{reshape}(\bar y)"
    view = True
    samples = [
        Sample(real(1, 2, 1, 3)),
        Sample(real(1, 2, 1), axis=-1),
        Sample(real(1, 2, 1), axis=(0, 2)),
        Sample(real()),
        Sample(real(1, 0), axis=0),
    ]

    def check(self, x, *, axis):
        if axis is None:
            return {"axis": tuple(i for i, n in enumerate(x.shape) if n == 1)}
        axes = normalize_axes("squeeze", axis, x.ndim)
        for i in axes:
            if x.shape[i] != 1:
                raise ValueError(
                    f"squeeze: axis {i} of {shape_of(x)} has size {x.shape[i]}; only size 1 can be left out."
                )
        return {"axis": axes}

    def forward(self, dev, x, *, axis=None):
        return dev.xp.squeeze(x, axis)

    def grad_x(self, g, _y, _x, *, axis):
        return g.reshape(_x.shape)


@op
class unsqueeze(Op):
    """The same numbers with a new axis of size 1, which is axis `axis` of the output."""

    formula = r"y_{\dots 0 i \dots} = x_{\dots i \dots}"
    derivative = r"\bar x = \operatorname{squeeze}(\bar y)"
    view = True
    samples = [Sample(real(2, 3), axis=1), Sample(real(2, 3), axis=-1), Sample(real(), axis=0), Sample(real(0), axis=0)]

    def check(self, x, *, axis):
        return {"axis": normalize_axis(f"unsqueeze of {shape_of(x)}: in the output", axis, x.ndim + 1)}

    def forward(self, dev, x, *, axis):
        return dev.xp.expand_dims(x, axis)

    def grad_x(self, g, _y, _x, *, axis):
        return squeeze(g, axis)


@op
class concat(Op):
    r"""The inputs one after the other along an axis that they have: ``concat(a, b, axis=0)``.

    Raises:
        TypeError: an input is no tensor.
        ValueError: there is no input, or the shapes differ on another axis.
    """

    formula = r"Y = [X_1 \;\, X_2 \;\cdots\; X_n]"
    derivative = r"[\bar X_1 \;\, \bar X_2 \;\cdots\; \bar X_n] = \bar Y"
    samples = [
        Sample(real(2, 3), real(2, 1), real(2, 2), axis=1),
        Sample(real(2, 3), real(1, 3)),
        Sample(real(2, 3, 1), real(2, 3, 2), axis=-1),
        Sample(real(2), real(0)),
        Sample(real(1)),
    ]

    def check(self, *xs, axis):
        shapes = shapes_of("concat", xs)
        if not shapes[0]:
            raise ValueError("concat: tensors without axes have none to be joined along; use stack.")
        axis = normalize_axis("concat", axis, len(shapes[0]))
        for i, shape in enumerate(shapes):
            if len(shape) != len(shapes[0]) or drop(shape, axis) != drop(shapes[0], axis):
                raise ValueError(
                    f"concat: input {i} has shape {shape}, the first {shapes[0]}: all axes but axis {axis} must agree."
                )
        return {"axis": axis}

    def forward(self, dev, *xs, axis=0):
        return dev.xp.concatenate(xs, axis=axis)

    def backward(self, g, _y, *_xs, needs, axis):
        return split(g, [x.shape[axis] for x in _xs], axis)


@op
class stack(Op):
    r"""Inputs of one shape side by side along a new axis, which is axis `axis` of the output: ``stack(a, b, axis=0)``.

    Raises:
        TypeError: an input is no tensor.
        ValueError: there is no input, or the shapes differ.
    """

    formula = r"y_{k i j \dots} = (x_k)_{i j \dots}"
    derivative = r"(\bar x_k)_{i j \dots} = \bar y_{k i j \dots}"
    samples = [
        Sample(real(2, 3), real(2, 3)),
        Sample(real(2, 3), real(2, 3), real(2, 3), axis=-1),
        Sample(real(), real()),
        Sample(real(0, 2), real(0, 2), axis=1),
    ]

    def check(self, *xs, axis):
        shapes = shapes_of("stack", xs)
        for i, shape in enumerate(shapes):
            if shape != shapes[0]:
                raise ValueError(f"stack: input {i} has shape {shape}, the first {shapes[0]}: all must be equal.")
        return {"axis": normalize_axis(f"stack of {shapes[0]}: in the output", axis, len(shapes[0]) + 1)}

    def forward(self, dev, *xs, axis=0):
        return dev.xp.stack(xs, axis=axis)

    def backward(self, g, _y, *_xs, needs, axis):
        return [squeeze(part, axis) for part in split(g, [1] * len(_xs), axis)]


@op
class split(Op):
    r"""The input cut along an axis, into `sections` equal parts or into parts of the sizes in a list. It returns a tuple.

    (A number counts the parts, as in NumPy; PyTorch's ``torch.split`` takes the size of a part there.)

    Raises:
        ValueError: the axis does not divide into so many parts, or the sizes do not add up to it.
    """

    formula = r"[Y_1 \;\, Y_2 \;\cdots\; Y_n] = X"
    derivative = r"\bar X = [\bar Y_1 \;\, \bar Y_2 \;\cdots\; \bar Y_n], \quad \bar Y_k = 0 \text{ where } Y_k \text{ is unused}"
    multi = True
    view = True
    samples = [
        Sample(real(4, 2), sections=2),
        Sample(real(2, 6), sections=[1, 3, 2], axis=1),
        Sample(real(2, 3), sections=3, axis=-1),
        Sample(real(3), sections=[0, 3]),
        Sample(real(2, 0), sections=2, axis=1),
    ]

    def check(self, x, *, sections, axis):
        if not x.shape:
            raise ValueError("split: a tensor without axes has none to be cut along.")
        axis = normalize_axis("split", axis, x.ndim)
        size = x.shape[axis]
        if isinstance(sections, int | np.integer):
            if sections < 1 or size % sections:
                raise ValueError(f"split: axis {axis} of {shape_of(x)}, of size {size}, has no {sections} equal parts.")
            return {"sections": (size // int(sections),) * int(sections), "axis": axis}
        sizes = tuple(int(n) for n in sections)
        if not sizes or min(sizes) < 0 or sum(sizes) != size:
            raise ValueError(f"split: sizes {sizes} do not add up to axis {axis} of {shape_of(x)}, which is {size}.")
        return {"sections": sizes, "axis": axis}

    def forward(self, dev, x, *, sections, axis=0):
        ends = list(itertools.accumulate(sections))
        return tuple(x[along(axis, slice(end - n, end))] for n, end in zip(sections, ends, strict=True))

    def grad_x(self, g, _y, _x, *, sections, axis):
        device = home_of(next(part for part in g if part is not None))
        parts = [
            device.xp.zeros((*_x.shape[:axis], n, *_x.shape[axis + 1 :]), _x.dtype) if part is None else part
            for part, n in zip(g, sections, strict=True)
        ]
        return concat(*parts, axis=axis)


@op
class pad(Op):
    r"""The input in a frame of a constant. `widths`: one number for every side, or a pair (before, after) for every axis.

    A negative width cuts off so many elements on its side, whose gradient is then zero.

    Raises:
        ValueError: `widths` has another form, or cuts off more than there is.
    """

    formula = r"y_{i + b} = x_i \quad (b \text{ the width before}), \qquad y_j = \text{value elsewhere}"
    derivative = r"\bar x_i = \bar y_{i + b}"
    samples = [
        Sample(real(2, 3), widths=1),
        Sample(real(2, 3), widths=((0, 2), (1, 0)), value=-1.5),
        Sample(real(), widths=1),
        Sample(real(0, 2), widths=((1, 1), (0, 0))),
        Sample(real(3), widths=0),
        Sample(real(3, 4), widths=((-1, 2), (1, -2)), value=2.0),
        Sample(real(2, 3), widths=((3, -4), (-3, 2))),
    ]

    def check(self, x, *, widths, value):
        try:
            one = (operator.index(widths),) * 2 if not isinstance(widths, tuple | list) else None
            pairs = (one,) * x.ndim if one else tuple(tuple(map(operator.index, pair)) for pair in widths)
        except TypeError:
            pairs = ()
        if len(pairs) != x.ndim or any(len(pair) != 2 for pair in pairs):
            raise ValueError(
                f"pad: widths {widths} do not fit {shape_of(x)}: expected one integer, or a pair (before, after) of integers "
                f"for each of the {x.ndim} axes."
            )
        if any(n + more < 0 for n, more in zip(x.shape, map(sum, pairs), strict=True)):
            raise ValueError(f"pad: widths {widths} cut off more than {shape_of(x)} has.")
        if not isinstance(value, int | float | np.number):
            raise TypeError(f"pad: value is a {type(value).__name__}, expected a number.")
        return {"widths": pairs, "value": value.item() if isinstance(value, np.number) else value}

    def forward(self, dev, x, *, widths, value=0.0):
        shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
        y = dev.xp.full(shape, value, x.dtype)
        cuts = tuple((-before, -after) for before, after in widths)
        y[inner(widths, x.shape)] = x[inner(cuts, shape)]
        return y

    def grad_x(self, g, _y, _x, *, widths, value):
        if all(min(pair) >= 0 for pair in widths):
            return g[inner(widths, _x.shape)]
        return pad(g, tuple((-before, -after) for before, after in widths))


@op
class flip(Op):
    """The input backwards along one axis, several, or all (``axis=None``)."""

    formula = r"y_i = x_{n - 1 - i}"
    derivative = r"\bar x = \operatorname{flip}(\bar y)"
    view = True
    samples = [
        Sample(real(2, 3)),
        Sample(real(2, 3), axis=1),
        Sample(real(2, 3, 2), axis=(0, -1)),
        Sample(real()),
        Sample(real(0, 2), axis=0),
    ]

    def check(self, x, *, axis):
        return {"axis": normalize_axes("flip", axis, x.ndim)}

    def forward(self, dev, x, *, axis=None):
        return x[(*(slice(None, None, -1 if i in axis else 1) for i in range(x.ndim)), ...)]

    def grad_x(self, g, _y, _x, *, axis):
        return flip(g, axis)


@op
class tril(Op):
    r"""The lower triangle of the matrices in the last two axes: zero above the diagonal, or above the k-th beside it."""

    formula = r"y_{ij} = x_{ij}\, [j - i \le k]"
    derivative = r"\bar x = \operatorname{tril}(\bar y, k)"
    samples = [Sample(real(3, 3)), Sample(real(2, 3, 4), k=1), Sample(real(3, 2), k=-1), Sample(real(0, 2, 2))]

    def check(self, x, *, k):
        return check_triangle("tril", x, k)

    def forward(self, dev, x, *, k=0):
        return dev.xp.tril(x, k)

    def grad_x(self, g, _y, _x, *, k):
        return tril(g, k)


@op
class triu(Op):
    r"""The upper triangle of the matrices in the last two axes: zero below the diagonal, or below the k-th beside it."""

    formula = r"y_{ij} = x_{ij}\, [j - i \ge k]"
    derivative = r"\bar x = \operatorname{triu}(\bar y, k)"
    samples = [Sample(real(3, 3)), Sample(real(2, 3, 4), k=1), Sample(real(3, 2), k=-1), Sample(real(0, 2, 2))]

    def check(self, x, *, k):
        return check_triangle("triu", x, k)

    def forward(self, dev, x, *, k=0):
        return dev.xp.triu(x, k)

    def grad_x(self, g, _y, _x, *, k):
        return triu(g, k)


@op
class move(Op):
    """The same numbers on another device. The gradient is moved back."""

    formula = r"y = x"
    derivative = r"\bar x = \bar y"
    samples = [Sample(real(2, 3), device="cpu")]

    def check(self, x, *, device, source):
        return {"device": get_device(device), "source": home_of(x)}

    def forward(self, dev, x, *, device, source=None):
        return to_device(x, device)

    def grad_x(self, g, _y, _x, *, device, source):
        return move(g, device=source)


def home_of(x):
    """The device of an array or Tensor."""
    return device_of(array_of(x))


def array_of(x):
    """The array in a Tensor; anything else as it is. What is computed from it is a constant to the graph."""
    return x.data if hasattr(type(x), "__minilm_op__") else x


def shapes_of(op_name, xs):
    """The shapes of the inputs of an op that takes any number of tensors.

    Raises:
        TypeError: an input is no tensor.
        ValueError: there is none.
    """
    if not xs:
        raise ValueError(f"{op_name}: expected at least one tensor, got none.")
    for i, x in enumerate(xs):
        if not hasattr(x, "shape"):
            hint = f"; pass the tensors one by one: {op_name}(a, b), or {op_name}(*list)" if len(xs) == 1 else ""
            raise TypeError(f"{op_name}: input {i} is a {type(x).__name__}, expected a tensor{hint}.")
    return [shape_of(x) for x in xs]


def drop(shape, axis):
    """`shape` without one axis."""
    return shape[:axis] + shape[axis + 1 :]


def along(axis, part):
    """The index that takes `part` of one axis, and all of the others."""
    return (*(slice(None),) * axis, part, ...)


def inner(widths, shape):
    """The index of the input, or of what is left of it, within its padded output."""
    return (
        *(
            slice(max(before, 0), max(before + n + min(after, 0), 0))
            for n, (before, after) in zip(shape, widths, strict=True)
        ),
        ...,
    )


def check_triangle(op_name, x, k):
    """The parameter of `tril` and `triu`."""
    if x.ndim < 2:
        raise ValueError(f"{op_name}: a triangle needs matrices in the last two axes, got shape {shape_of(x)}.")
    return {"k": operator.index(k)}
