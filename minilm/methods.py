"""`Methods`: the methods that Tensor has because PyTorch and NumPy have them. (What Python's syntax means: `minilm.operators`.)

Nearly all are one of three kinds: an op as a method, a line of `minilm.ops.spellings` as a method, or either in
place. The rest change the type, choose elements, or draw random numbers. `dim` and `axis`, `keepdim` and `keepdims` mean the
same everywhere. Where one name means two things, it has one meaning here:

================== ============================================= =====================================================
name               here                                          the other library's meaning is
================== ============================================= =====================================================
``x.size``         the number of elements (NumPy)                ``x.shape``
``x.max(dim=1)``   the values (NumPy's ``max``, PyTorch's amax)  ``x.topk(1, dim=1)``, or ``x.argmax(dim=1)`` beside it
``x.transpose``    all axes in a given order (NumPy)             ``x.swapaxes(0, 1)``
``x.split(2)``     two parts (NumPy)                             ``x.chunk``, or sizes: ``x.split([2, 2])``
``x.repeat(2, 3)`` the whole tensor along each axis (PyTorch)    ``x.repeat(2, axis=0)``, ``x.repeat_interleave``
``x.sort()``       a sorted copy and its indices (PyTorch)       ``x.sort().values``
``x.std()``        divided by n - 1 (PyTorch)                    ``x.std(correction=0)``
``ml.equal``       one bool for all elements (PyTorch)           ``ml.eq``
``ml.trace``       the step-through                              ``x.trace()``
================== ============================================= =====================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minilm import random
from minilm.backend import Device, get_device, is_device_name, to_device
from minilm.convert import is_tensor_type
from minilm.ops import (
    activation,
    arithmetic,
    arrange,
    elementary,
    index,
    linalg,
    logic,
    normalize,
    order,
    rectifier,
    reduce,
    rounding,
    scan,
    spellings,
)
from minilm.ops import shape as shapes
from minilm.ops.dtypes import number_dtype
from minilm.ops.op import as_method
from minilm.ops.spellings import one_or_many


def _in_place(name: str) -> Callable[..., Any]:
    """``x.exp_()``: what ``x.exp()`` returns, in the place of x. Refused while it would falsify the recorded graph."""

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        result = getattr(self.detach(), name)(*arguments, **named)
        if result.dtype.kind == "f" and self.dtype.kind != "f":
            raise TypeError(
                f"{name}_: the result is {result.dtype} and does not fit into {self.dtype}; use x = x.{name}(...)."
            )
        if result.shape != self.shape:
            raise ValueError(f"{name}_: the result has shape {result.shape} and does not fit into {self.shape}.")
        return self.copy_(result)

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"What ``x.{name}(...)`` returns, in the place of x; returns x."
    return method


def _cast(dtype: Any) -> Callable[..., Any]:
    def method(self: Any) -> Any:
        return self.to(np.dtype(dtype))

    method.__doc__ = f"In {np.dtype(dtype)}; itself, if it is."
    return method


class Methods:
    """A base of Tensor; see the module. ``self`` is a Tensor in every method."""

    __slots__ = ()

    # -- ops as methods -----------------------------------------------------------------------------------------------

    abs = as_method(arithmetic.abs)
    sqrt = as_method(arithmetic.sqrt)
    exp = as_method(arithmetic.exp)
    log = as_method(arithmetic.log)
    sin = as_method(arithmetic.sin)
    cos = as_method(arithmetic.cos)
    pow = as_method(arithmetic.pow)
    sign = as_method(arithmetic.sign)
    neg = as_method(arithmetic.neg)
    mul = as_method(arithmetic.mul)
    maximum = as_method(arithmetic.maximum)
    minimum = as_method(arithmetic.minimum)

    tan = as_method(elementary.tan)
    asin = as_method(elementary.asin)
    acos = as_method(elementary.acos)
    atan = as_method(elementary.atan)
    atan2 = as_method(elementary.atan2)
    sinh = as_method(elementary.sinh)
    cosh = as_method(elementary.cosh)
    asinh = as_method(elementary.asinh)
    acosh = as_method(elementary.acosh)
    atanh = as_method(elementary.atanh)
    log1p = as_method(elementary.log1p)
    expm1 = as_method(elementary.expm1)
    log2 = as_method(elementary.log2)
    log10 = as_method(elementary.log10)
    exp2 = as_method(elementary.exp2)
    square = as_method(elementary.square)
    reciprocal = as_method(elementary.reciprocal)
    rsqrt = as_method(elementary.rsqrt)
    hypot = as_method(elementary.hypot)
    logaddexp = as_method(elementary.logaddexp)
    lerp = as_method(elementary.lerp)

    tanh = as_method(activation.tanh)
    sigmoid = as_method(activation.sigmoid)
    relu = as_method(activation.relu)
    clip = as_method(activation.clip)
    erf = as_method(activation.erf)
    leaky_relu = as_method(activation.leaky_relu)
    silu = as_method(activation.silu)
    softplus = as_method(activation.softplus)
    gelu = as_method(activation.gelu)

    elu = as_method(rectifier.elu)
    selu = as_method(rectifier.selu)
    celu = as_method(rectifier.celu)
    hardtanh = as_method(rectifier.hardtanh)
    relu6 = as_method(rectifier.relu6)
    hardsigmoid = as_method(rectifier.hardsigmoid)
    hardswish = as_method(rectifier.hardswish)
    mish = as_method(rectifier.mish)
    logsigmoid = as_method(rectifier.logsigmoid)
    softsign = as_method(rectifier.softsign)
    tanhshrink = as_method(rectifier.tanhshrink)
    hardshrink = as_method(rectifier.hardshrink)
    softshrink = as_method(rectifier.softshrink)
    prelu = as_method(rectifier.prelu)
    glu = as_method(rectifier.glu)

    floor = as_method(rounding.floor)
    ceil = as_method(rounding.ceil)
    trunc = as_method(rounding.trunc)
    round = as_method(rounding.round)
    frac = as_method(rounding.frac)
    remainder = as_method(rounding.remainder)
    fmod = as_method(rounding.fmod)
    floor_divide = as_method(rounding.floor_divide)
    copysign = as_method(rounding.copysign)

    isnan = as_method(logic.isnan)
    isinf = as_method(logic.isinf)
    isfinite = as_method(logic.isfinite)
    isclose = as_method(logic.isclose)
    signbit = as_method(logic.signbit)
    isposinf = as_method(logic.isposinf)
    isneginf = as_method(logic.isneginf)
    all = as_method(logic.all)
    any = as_method(logic.any)
    count_nonzero = as_method(logic.count_nonzero)
    argmax = as_method(logic.argmax)
    argmin = as_method(logic.argmin)

    sum = as_method(reduce.sum)
    mean = as_method(reduce.mean)
    var = as_method(reduce.var)
    std = as_method(reduce.std)
    max = as_method(reduce.max)
    min = as_method(reduce.min)
    prod = as_method(reduce.prod)
    logsumexp = as_method(reduce.logsumexp)
    cumsum = as_method(reduce.cumsum)
    amax = as_method(reduce.max)
    amin = as_method(reduce.min)

    cumprod = as_method(scan.cumprod)
    logcumsumexp = as_method(scan.logcumsumexp)

    sort = as_method(order.sort)
    argsort = as_method(order.argsort)
    topk = as_method(order.topk)
    cummax = as_method(order.cummax)
    cummin = as_method(order.cummin)

    softmax = as_method(normalize.softmax)
    log_softmax = as_method(normalize.log_softmax)

    swapaxes = as_method(shapes.swapaxes)
    squeeze = as_method(shapes.squeeze)
    unsqueeze = as_method(shapes.unsqueeze)
    split = as_method(shapes.split)
    tril = as_method(shapes.tril)
    triu = as_method(shapes.triu)

    repeat_interleave = as_method(arrange.repeat_interleave)
    roll = as_method(arrange.roll)
    diagonal = as_method(arrange.diagonal)
    diag = as_method(arrange.diag)
    diag_embed = as_method(arrange.diag_embed)
    trace = as_method(arrange.trace)
    outer = as_method(arrange.outer)
    tensordot = as_method(arrange.tensordot)
    dot = as_method(arrange.dot)
    moveaxis = as_method(arrange.moveaxis)

    masked_fill = as_method(index.masked_fill)

    matmul = as_method(linalg.matmul)

    # -- under their other names --------------------------------------------------------------------------------------

    arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
    arcsinh, arccosh, arctanh = asinh, acosh, atanh
    absolute, negative, multiply, fix = abs, neg, mul, trunc
    clamp, movedim, swapdims = clip, moveaxis, swapaxes
    ger, mm, bmm, mv = outer, matmul, matmul, matmul

    # -- spellings as methods -----------------------------------------------------------------------------------------

    add, sub, div = spellings.add, spellings.sub, spellings.div
    addmm, addcmul, addcdiv, kron = spellings.addmm, spellings.addcmul, spellings.addcdiv, spellings.kron
    subtract, divide, true_divide = sub, div, div
    deg2rad, rad2deg, clamp_min, clamp_max = (
        spellings.deg2rad,
        spellings.rad2deg,
        spellings.clamp_min,
        spellings.clamp_max,
    )
    nansum, nanmean, aminmax = spellings.nansum, spellings.nanmean, spellings.aminmax
    eq, ne, lt, le, gt, ge = spellings.eq, spellings.ne, spellings.lt, spellings.le, spellings.gt, spellings.ge
    not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
    logical_not, logical_and = spellings.logical_not, spellings.logical_and
    logical_or, logical_xor = spellings.logical_or, spellings.logical_xor
    allclose, equal, nan_to_num = spellings.allclose, spellings.equal, spellings.nan_to_num
    ravel, t, unflatten, flatten = spellings.ravel, spellings.t, spellings.unflatten, spellings.flatten
    chunk, tensor_split, unbind, narrow = spellings.chunk, spellings.tensor_split, spellings.unbind, spellings.narrow
    select, diff, inner, fliplr, flipud = (
        spellings.select,
        spellings.diff,
        spellings.inner,
        spellings.fliplr,
        spellings.flipud,
    )
    rot90, hsplit, vsplit = spellings.rot90, spellings.hsplit, spellings.vsplit
    gather, scatter, scatter_add = spellings.gather, spellings.scatter, spellings.scatter_add
    index_select, index_add = spellings.index_select, spellings.index_add
    index_copy, index_fill = spellings.index_copy, spellings.index_fill
    take, take_along_axis, masked_select = spellings.take, spellings.take_along_axis, spellings.masked_select
    take_along_dim = take_along_axis

    # -- shapes -------------------------------------------------------------------------------------------------------

    def reshape(self: Any, *shape: Any) -> Any:
        """The same numbers under another shape, given as ``reshape(2, 3)`` or ``reshape((2, 3))``; one size may be -1."""
        return shapes.reshape(self, shape=one_or_many(shape))

    def expand(self: Any, *shape: Any) -> Any:
        """Axes of size 1, and new leading axes, repeated without copying."""
        return shapes.expand(self, shape=one_or_many(shape))

    def transpose(self: Any, *axes: Any) -> Any:
        """The axes in the order given, as NumPy's ``transpose``; without arguments reversed."""
        return shapes.transpose(self, axes=one_or_many(axes) or None)

    @property
    def T(self: Any) -> Any:
        """The axes in reverse order."""
        return self.transpose()

    @property
    def mT(self: Any) -> Any:
        """The last two axes swapped: each matrix of a batch transposed."""
        return shapes.swapaxes(self, -1, -2)

    def dim(self: Any) -> Any:
        """The number of axes: PyTorch's name for ``ndim``."""
        return self.ndim

    def numel(self: Any) -> Any:
        """The number of elements: PyTorch's name for ``size``."""
        return self.size

    nelement = numel

    def view(self: Any, *shape: Any) -> Any:
        """`reshape`: every tensor can be viewed under every shape here, if need be through a copy."""
        return self.reshape(*shape)

    def view_as(self: Any, other: Any) -> Any:
        """The same numbers under the shape of `other`."""
        return self.reshape(other.shape)

    reshape_as = view_as

    def expand_as(self: Any, other: Any) -> Any:
        """Axes of size 1, and new leading axes, repeated to the shape of `other`, without copying."""
        return self.expand(other.shape)

    def broadcast_to(self: Any, *shape: Any) -> Any:
        """`expand`, under NumPy's name."""
        return self.expand(*shape)

    def permute(self: Any, *dims: Any, **named: Any) -> Any:
        """The axes in the order given: ``x.permute(2, 0, 1)``."""
        return shapes.transpose(self, **named) if named else shapes.transpose(self, axes=one_or_many(dims))

    def flip(self: Any, *dims: Any, **named: Any) -> Any:
        """The elements backwards along one axis, several, or all: ``x.flip(0, 1)``, ``x.flip((0, 1))``, ``x.flip()``."""
        return shapes.flip(self, one_or_many(dims), **named) if dims else shapes.flip(self, **named)

    def tile(self: Any, *repeats: Any, **named: Any) -> Any:
        """The whole tensor, so often along each axis: ``x.tile(2, 3)``; see `repeat`."""
        return arrange.tile(self, one_or_many(repeats), **named) if repeats else arrange.tile(self, **named)

    def repeat(self: Any, *repeats: Any, axis: int | None = None, dim: int | None = None) -> Any:
        """The whole tensor, so often along each axis: ``x.repeat(2, 3)``, as in PyTorch, where it needs a number for each axis.

        With an axis it is NumPy's, each element several times in a row: ``x.repeat(2, axis=0)``, which is `repeat_interleave`.
        """
        where = axis if axis is not None else dim
        if where is not None:
            return arrange.repeat_interleave(self, repeats[0] if len(repeats) == 1 else repeats, axis=where)
        counts = one_or_many(repeats)
        if len(counts) < self.ndim:
            raise ValueError(
                f"repeat: {len(counts)} numbers {counts} for the {self.ndim} axes of {self.shape}: it takes one for each, as "
                "PyTorch's; for NumPy's use repeat_interleave, or name the axis."
            )
        return arrange.tile(self, counts)

    def contiguous(self: Any) -> Any:
        """Itself: no op here asks how a tensor lies in memory."""
        return self

    # -- elements -----------------------------------------------------------------------------------------------------

    def nonzero(self: Any, as_tuple: bool = False) -> Any:
        """Where the elements are not 0: a row of numbers for each, ``(count, ndim)``, or a tensor for each axis with `as_tuple`.

        On a GPU this waits: how many are they?
        """
        array, xp = self.data, self.device.xp
        places = xp.nonzero(xp.reshape(array, -1) if array.ndim == 0 else array)
        if as_tuple:
            return tuple(self._wrap(place) for place in places)
        rows = xp.stack(places, axis=1)
        return self._wrap(rows if array.ndim else rows[:, :0])

    def argwhere(self: Any) -> Any:
        """`nonzero`: a row of numbers for each element that is not 0."""
        return self.nonzero()

    def where(self: Any, condition: Any, other: Any) -> Any:
        """Its elements where the condition holds, those of `other` elsewhere."""
        return arithmetic.where(condition, self, other)

    def new_zeros(self: Any, *shape: Any, dtype: Any = None) -> Any:
        """Zeros of another shape, with this dtype and on this device."""
        return self._wrap(self.device.xp.zeros(one_or_many(shape), dtype or self.dtype))

    def new_ones(self: Any, *shape: Any, dtype: Any = None) -> Any:
        """Ones of another shape, with this dtype and on this device."""
        return self._wrap(self.device.xp.ones(one_or_many(shape), dtype or self.dtype))

    def new_full(self: Any, shape: Any, fill_value: Any, dtype: Any = None) -> Any:
        """One number in every place of another shape, with this dtype and on this device."""
        return self._wrap(self.device.xp.full(tuple(shape), fill_value, dtype or self.dtype))

    # -- in place -----------------------------------------------------------------------------------------------------

    def add_(self: Any, other: Any, alpha: Any = 1) -> Any:
        """Adds ``alpha * other``; returns itself."""
        self += other if alpha == 1 else other * alpha
        return self

    def sub_(self: Any, other: Any, alpha: Any = 1) -> Any:
        """Subtracts ``alpha * other``; returns itself."""
        self -= other if alpha == 1 else other * alpha
        return self

    def mul_(self: Any, other: Any) -> Any:
        """Multiplies by `other`; returns itself."""
        self *= other
        return self

    def div_(self: Any, other: Any, rounding_mode: str | None = None) -> Any:
        """Divides by `other`; returns itself."""
        if rounding_mode is not None:
            return self._divide_whole_(other, rounding_mode)
        self /= other
        return self

    _divide_whole_ = _in_place("div")
    abs_, neg_, sign_, exp_, log_, sqrt_ = (_in_place(name) for name in ("abs", "neg", "sign", "exp", "log", "sqrt"))
    sin_, cos_, tan_, tanh_, sigmoid_ = (_in_place(name) for name in ("sin", "cos", "tan", "tanh", "sigmoid"))
    relu_, square_, reciprocal_, rsqrt_ = (_in_place(name) for name in ("relu", "square", "reciprocal", "rsqrt"))
    floor_, ceil_, round_, trunc_ = (_in_place(name) for name in ("floor", "ceil", "round", "trunc"))
    pow_, remainder_, fmod_ = (_in_place(name) for name in ("pow", "remainder", "fmod"))
    floor_divide_, lerp_ = (_in_place(name) for name in ("floor_divide", "lerp"))
    clip_, clamp_, masked_fill_ = (_in_place(name) for name in ("clip", "clamp", "masked_fill"))
    tril_, triu_, cumsum_, cumprod_ = (_in_place(name) for name in ("tril", "triu", "cumsum", "cumprod"))
    scatter_, scatter_add_ = (_in_place(name) for name in ("scatter", "scatter_add"))
    index_add_, index_copy_, index_fill_ = (_in_place(name) for name in ("index_add", "index_copy", "index_fill"))

    def uniform_(self: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
        """Numbers between `low` and `high`, from `minilm.random`, in its place; returns itself."""
        return self._draw(random.generator().uniform(low, high, self.shape))

    def normal_(self: Any, mean: Any = 0.0, std: Any = 1.0) -> Any:
        """Normal numbers with this mean and standard deviation, from `minilm.random`, in its place; returns itself."""
        return self._draw(random.generator().normal(mean, std, self.shape))

    def _draw(self: Any, numbers: Any) -> Any:
        return self.copy_(self._wrap(to_device(np.asarray(numbers, self.dtype), self.device)))

    # -- types and devices --------------------------------------------------------------------------------------------
    # (last, since within the class the names float, int and bool stand for these methods from here on)

    def clone(self: Any) -> Any:
        """A copy of its own memory, still in the graph."""
        return arithmetic.cast(self, dtype=self.dtype)

    def to(self: Any, target: Any = None, dtype: Any = None, *, device: Any = None) -> Any:
        """On another device (``"cpu"``, ``"cuda"``, ``"auto"``, a Device) or in another dtype; itself if nothing changes.

        The gradient of a moved Tensor is moved back. ``x.to("cuda", "float16")`` does both, ``x.to(y)`` what y has.
        """
        if is_tensor_type(type(target)):
            return self.to(target.device).to(target.dtype)
        if dtype is not None or device is not None:
            for change in (target, device, dtype):
                self = self if change is None else self.to(change)
            return self
        if isinstance(target, Device) or is_device_name(target):
            device = get_device(target)
            return self if device is self.device else shapes.move(self, device=device)
        return self if number_dtype(target) == self.dtype else arithmetic.cast(self, dtype=target)

    def astype(self: Any, dtype: Any) -> Any:
        """In another dtype, as NumPy says it."""
        return self.to(number_dtype(dtype))

    def double(self: Any) -> Any:
        """In float64, as gradient checks need it."""
        return self.to(np.float64)

    def type(self: Any, dtype: Any) -> Any:
        """In another dtype."""
        return self.to(np.dtype(dtype))

    def type_as(self: Any, other: Any) -> Any:
        """In the dtype of `other`."""
        return self.to(other.dtype)

    def is_floating_point(self: Any) -> Any:
        """Whether the numbers are floats."""
        return self.dtype.kind == "f"

    def cpu(self: Any) -> Any:
        """On the CPU."""
        return self.to("cpu")

    def cuda(self: Any) -> Any:
        """On the GPU."""
        return self.to("cuda")

    def copy(self: Any) -> Any:
        """A copy of its own memory, still in the graph: NumPy's name for `clone`."""
        return self.clone()

    half, float, long, short = (_cast(kind) for kind in (np.float16, np.float32, np.int64, np.int16))
    char, byte, int, bool = (_cast(kind) for kind in (np.int8, np.uint8, np.int32, np.bool_))


__all__ = ["Methods"]
