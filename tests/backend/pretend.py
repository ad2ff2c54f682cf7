"""A pretend GPU: CuPy's rules about host and device, with NumPy's arithmetic. It shows, on any machine, that code keeps
CuPy's rules. It shows nothing about a GPU's numbers or speed, and is never to be called one in what users read.

An `Array` is no NumPy array and does not turn into one unasked. Mixing it with host arrays, reading it without a
transfer, calling a function or a keyword that CuPy lacks: all of it fails as it fails in CuPy, whose functions and
keywords are those of `tests.backend.cupy_api`. Each operation is counted, so that a test can say "this step waits for
the device not once": see `count`.

Where CuPy would do something slow or undefined in silence, the stand-in raises `PretendError` instead:

- ``np.exp(x)`` works on CuPy's arrays, for some functions and at some cost: engine code calls ``xp.exp``;
- ``x[host_array]``, ``x[i] = host_array`` and ``xp.asarray(host_array)`` upload: arrays cross in `to_device` only;
- an index array that reaches beyond the axis wraps round;
- ``x[i] = values`` with a repeated i leaves any one of the values.

The first two are allowed within `lenient`, which the comparison with CuPy itself needs.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import Device, register_device
from minilm.backend.cuda.accelerator import Accelerator
from minilm.backend.cuda.cublas import Products
from minilm.backend.cuda.row_kernels import RowKernels
from tests.backend.cuda.host_cublas import HostCublas
from tests.backend.cupy_api import parse, table


class PretendError(AssertionError):
    """CuPy would not raise here: it would be slow in silence, or its answer undefined."""


@dataclass
class Counts:
    """What would have happened on a device.

    Attributes:
        launches: kernels started, at least: a call that computes counts as one.
        syncs: times the host waited for the device's numbers.
        uploads: host arrays that were copied to the device.
    """

    launches: int = 0
    syncs: int = 0
    uploads: int = 0


_total = Counts()
_strict = True


@contextlib.contextmanager
def count() -> Iterator[Counts]:
    """``with count() as counts:`` has in `counts`, afterwards, what happened within."""
    before, counts = replace(_total), Counts()
    yield counts
    for name in ("launches", "syncs", "uploads"):
        setattr(counts, name, getattr(_total, name) - getattr(before, name))


def total() -> Counts:
    """What has happened since the start."""
    return replace(_total)


@contextlib.contextmanager
def lenient() -> Iterator[None]:
    """Within it, detours that CuPy allows in silence are allowed (and counted)."""
    global _strict
    before, _strict = _strict, False
    try:
        yield
    finally:
        _strict = before


def _detour(what: str, instead: str) -> None:
    if _strict:
        raise PretendError(f"{what}; {instead}.")


SCALARS = (bool, int, float, complex, np.generic)


class Flags(NamedTuple):
    """What CuPy tells about an array's memory."""

    c_contiguous: bool
    f_contiguous: bool
    owndata: bool


class Array:
    """An array that keeps CuPy's rules. `_a` is the NumPy array behind it, for this module only.

    `base` is the array whose memory it shows; None where that is its own. As in CuPy, a view holds a reference to it.
    """

    __slots__ = ("__weakref__", "_a", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, a: np.ndarray[Any, Any], base: Array | None = None) -> None:
        if a.dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {a.dtype}")
        self._a = a
        self.base = base if base is None or base.base is None else base.base

    shape = property(lambda self: self._a.shape, lambda self, shape: setattr(self._a, "shape", shape))
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    T = property(lambda self: Array(self._a.T, self))
    mT = property(lambda self: Array(self._a.mT, self))

    @property
    def flags(self) -> Flags:
        return Flags(self._a.flags.c_contiguous, self._a.flags.f_contiguous, self._a.flags.owndata)

    # -- to the host: never unasked, and each time the host waits -----------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    def get(self) -> np.ndarray[Any, Any]:
        _total.syncs += 1
        return self._a.copy()

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get()[()], spec)

    def __reduce__(self) -> Any:
        return _upload, (self.get(),)

    # -- as a sequence ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Array:
        keys = _plain_index(self._a, index)
        copied = any(isinstance(k, np.ndarray) for k in keys)
        if copied:
            _total.launches += 1
            _total.syncs += any(_is_mask(k) for k in keys)  # how many are True?
        part = self._a[keys] if any(k is Ellipsis for k in keys) else self._a[(*keys, ...)]
        return Array(np.asarray(part), None if copied else self)

    def __setitem__(self, index: Any, value: Any) -> None:
        keys = _plain_index(self._a, index)
        fancy = any(isinstance(k, np.ndarray) for k in keys)
        if isinstance(value, list | tuple | np.ndarray) and np.ndim(value):
            if not fancy:
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            _detour("x[index] = host array: CuPy uploads it", "use to_device")
            _total.uploads += 1
        values = value._a if isinstance(value, Array) else value
        if fancy and np.size(values) != 1:
            _refuse_repeats(self._a, keys)
        _total.launches += 1
        with np.errstate(all="ignore"):
            self._a[keys] = values

    def __copy__(self) -> Array:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy()

    # -- NumPy's functions --------------------------------------------------------------------------------------------

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if not any(
            isinstance(x, np.ndarray | np.generic) for x in inputs
        ):  # those are operators with a host's number on the left
            _detour(f"np.{function.__name__} was called on a device array", f"call xp.{function.__name__}")
        if not all(isinstance(x, (Array, np.ndarray, *SCALARS)) for x in inputs):
            return NotImplemented
        if "out" in kwargs:
            kwargs["out"] = kwargs["out"][0]
        ours = getattr(xp, function.__name__)
        return (ours if method == "__call__" else getattr(ours, method))(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        _detour(f"np.{function.__name__} was called on a device array", f"call xp.{function.__name__}")
        ours = getattr(xp, function.__name__, None)
        if ours is None or not all(issubclass(t, Array | np.ndarray) for t in types):
            return NotImplemented
        return ours(*args, **kwargs)


def _wrap(result: Any) -> Any:
    """NumPy's results as the device's: reductions give arrays without axes, never NumPy scalars."""
    if isinstance(result, np.ndarray | np.generic):
        return Array(np.asarray(result))
    if isinstance(result, tuple | list):
        items = [_wrap(x) for x in result]
        return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
    return result


def _unwrap(x: Any) -> Any:
    """An argument for NumPy. Host arrays are refused, wherever they are."""
    if isinstance(x, Array):
        return x._a
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if type(x) in (list, tuple):
        return type(x)(_unwrap(v) for v in x)
    return x


def _upload(x: Any, dtype: Any = None) -> Array:
    _total.uploads += 1
    return Array(np.array(x, dtype=dtype))


# -- indices ----------------------------------------------------------------------------------------------------------


def _is_mask(key: Any) -> bool:
    return isinstance(key, np.ndarray) and key.dtype.kind == "b"


def _plain_index(a: np.ndarray[Any, Any], index: Any) -> tuple[Any, ...]:
    """An index as NumPy takes it, with its arrays checked: CuPy lets those that are out of range wrap round."""
    keys = []
    for key in index if isinstance(index, tuple) else (index,):
        if isinstance(key, list | np.ndarray):
            _detour("x[host array or list]: CuPy uploads the index", "use to_device")
            _total.uploads += 1
            key = np.asarray(key)
        keys.append(key._a if isinstance(key, Array) else key)
    for key, size in zip(keys, _sizes(a, keys), strict=True):
        if (
            isinstance(key, np.ndarray)
            and not _is_mask(key)
            and key.size
            and not (-size <= key.min() and key.max() < size)
        ):
            raise PretendError(
                f"index {key.min()} to {key.max()} for an axis of size {size}: NumPy raises, CuPy wraps round"
            )
    return tuple(keys)


def _sizes(a: np.ndarray[Any, Any], keys: list[Any]) -> list[int]:
    """The size of the axis that each key indexes (0 for None and Ellipsis)."""

    def taken(key: Any) -> int:
        return 0 if key is None or key is Ellipsis else key.ndim if _is_mask(key) else 1

    rest, axis, sizes = a.ndim - sum(map(taken, keys)), 0, []
    for key in keys:
        sizes.append(a.shape[axis] if taken(key) and axis < a.ndim else 0)
        axis += rest if key is Ellipsis else taken(key)
    return sizes


def _refuse_repeats(a: np.ndarray[Any, Any], keys: tuple[Any, ...]) -> None:
    sizes = _sizes(a, list(keys))
    arrays = [k % n for k, n in zip(keys, sizes, strict=True) if isinstance(k, np.ndarray) and not _is_mask(k) and n]
    if arrays:
        places = np.stack([k.ravel() for k in np.broadcast_arrays(*arrays)])
        if np.unique(places, axis=1).shape[1] < places.shape[1]:
            raise PretendError("x[index] = values with a repeated index: which value remains is undefined; use add.at")


# -- functions and methods --------------------------------------------------------------------------------------------

VIEWS = {"reshape", "transpose", "swapaxes", "moveaxis", "rollaxis", "broadcast_to", "broadcast_arrays", "expand_dims", "squeeze",
         "ravel", "diagonal", "flip", "fliplr", "flipud", "split", "array_split", "hsplit", "vsplit", "dsplit", "atleast_1d", "atleast_2d",
         "atleast_3d", "view", "permute_dims", "matrix_transpose", "lib.stride_tricks.as_strided",
         "lib.stride_tricks.sliding_window_view", "astype", "asarray", "ascontiguousarray"}  # fmt: skip
"""These start no kernel where their result shares the input's memory."""

WAITING = {"nonzero", "flatnonzero", "argwhere", "compress", "extract", "bincount", "unique", "unique_all", "unique_counts",
           "unique_inverse", "unique_values", "array_repr", "array_str", "tobytes"}  # fmt: skip
"""The shape of their result depends on the numbers, or they are for reading."""

WITHOUT_KERNEL = {"empty", "empty_like"}
"""Memory, and nothing written to it."""

CREATION = {"array", "asarray", "asanyarray", "ascontiguousarray"}
WRAPPING = {"take", "take_along_axis", "put_along_axis", "put", "choose"}
ZERO_D = {"allclose", "array_equal", "array_equiv"}
NO_RANDOM = "the engine draws on the host, so that both devices see the same numbers; draw there and use to_device"


def _call(name: str, function: Callable[..., Any], signature: inspect.Signature, args: Any, kwargs: Any) -> Any:
    """Calls NumPy's `function` on what is behind the arguments, as far as CuPy's `signature` allows them."""
    signature.bind(*args, **kwargs)  # raises TypeError for what CuPy does not take
    out = kwargs.get("out")
    if out is not None and not isinstance(out, Array):
        raise TypeError(f"Argument 'out' has incorrect type {type(out)}")
    plain = [_unwrap(x) for x in args]
    try:
        with np.errstate(all="ignore"):  # a device gives no floating-point warnings
            result = function(*plain, **{k: _unwrap(v) for k, v in kwargs.items()})
    except IndexError as error:
        if name in WRAPPING:
            raise PretendError(f"{name}: {error}: NumPy raises, CuPy wraps round") from None
        raise
    if out is not None:
        result, wrapped = None, out
    else:
        wrapped = _wrap(np.asarray(result) if name in ZERO_D else result)
    _total.syncs += name in WAITING
    parts = wrapped if isinstance(wrapped, tuple | list) else (wrapped,)
    shared = name in VIEWS and all(any(_shares(x, p) for x in plain) for p in parts if isinstance(p, Array))
    if shared:
        for part, shown in itertools.product(parts, _arrays(args)):
            if isinstance(part, Array) and _shares(shown._a, part):
                part.base = shown if shown.base is None else shown.base
    _total.launches += any(isinstance(p, Array) for p in parts) and not shared and name not in WITHOUT_KERNEL
    return wrapped


def _arrays(args: Any) -> list[Array]:
    """The device's arrays among arguments, and in lists of them."""
    flat = [y for x in args for y in (x if isinstance(x, list | tuple) else (x,))]
    return [x for x in flat if isinstance(x, Array)]


def _shares(x: Any, y: Array) -> bool:
    xs = x if isinstance(x, list | tuple) else (x,)
    return any(isinstance(v, np.ndarray) and (not y.size or np.may_share_memory(v, y._a)) for v in xs)


def _function(name: str, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    @functools.wraps(function, assigned=("__name__",), updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        if name in CREATION and args and not isinstance(args[0], Array):
            if isinstance(args[0], np.ndarray):
                _detour(f"xp.{name}(host array) uploads", "use to_device")
            signature.bind(*args, **kwargs)
            return _upload(args[0], kwargs.get("dtype", args[1] if len(args) > 1 else None))
        if name == "where" and not isinstance(args[0], Array):
            raise AttributeError(f"{type(args[0]).__name__!r} object has no attribute 'astype'")
        if name == "repeat" and isinstance(args[1], Array):
            raise ValueError("cupy.repeat takes no array for `repeats`")
        return _call(name, function, signature, args, kwargs)

    return call


class Ufunc:
    """A universal function as CuPy has it: device arrays and scalars only, no ``where=``, few methods."""

    def __init__(self, ufunc: Any) -> None:
        self.ufunc, self.__name__ = ufunc, ufunc.__name__

    def __repr__(self) -> str:
        return f"<ufunc '{self.__name__}'>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind", **wrong: Any) -> Any:
        if wrong:
            raise TypeError(f"Wrong arguments {wrong}")
        for x in args:
            if not isinstance(x, (Array, *SCALARS)) or (self.__name__ == "matmul" and not isinstance(x, Array)):
                raise TypeError(f"Unsupported type {type(x)}")
        if out is not None and not isinstance(out, Array):
            raise TypeError(f"Unsupported type {type(out)}")
        options = {"out": None if out is None else out._a, "dtype": dtype, "casting": casting}
        _total.launches += 1
        with np.errstate(all="ignore"):
            result = self.ufunc(*map(_unwrap, args), **{k: v for k, v in options.items() if v is not None})
        return _wrap(result) if out is None else out

    def _reduction(self, method: str, a: Any, kwargs: Any) -> Any:
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`cupy_{self.__name__}.{method}` is not supported yet")
        signature = parse("a, axis=, dtype=, out=, keepdims=" if method == "reduce" else "a, axis=, dtype=, out=")
        return _call(f"{self.__name__}.{method}", getattr(self.ufunc, method), signature, (a,), kwargs)

    def reduce(self, a: Any, **kwargs: Any) -> Any:
        return self._reduction("reduce", a, kwargs)

    def accumulate(self, a: Any, **kwargs: Any) -> Any:
        return self._reduction("accumulate", a, kwargs)

    def reduceat(self, a: Any, indices: Any, axis: int = 0) -> Any:
        if self.__name__ != "add":
            raise NotImplementedError(f"`cupy_{self.__name__}.reduceat` is not supported yet")
        return _call("add.reduceat", self.ufunc.reduceat, parse("a, indices, axis="), (a, indices, axis), {})

    def outer(self, a: Any, b: Any) -> Any:
        return _call("outer", self.ufunc.outer, parse("a, b"), (a, b), {})

    def at(self, a: Array, index: Any, values: Any) -> None:
        """``a[index] op= values``, with repeated indices in turn (on a device: in any order)."""
        if self.__name__ not in ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"):
            raise NotImplementedError(f"`cupy_{self.__name__}.at` is not supported yet")
        if a.dtype.name not in ("int32", "int64", "uint32", "uint64", "float16", "float32", "float64"):
            raise TypeError(f"{self.__name__}.at: CuPy has no atomic operation for {a.dtype}")
        if isinstance(values, np.ndarray | list):
            _detour(f"{self.__name__}.at(..., host array): CuPy uploads it", "use to_device")
            _total.uploads += 1
        keys = _plain_index(a._a, index)
        _total.launches += 1
        with np.errstate(all="ignore"):
            self.ufunc.at(a._a, keys, values._a if isinstance(values, Array) else values)


class Namespace:
    """The array module, or one of its submodules: CuPy's names, as far as NumPy has them too."""

    ndarray = Array

    def __init__(self, module: str = "") -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        """Makes a name on its first use."""
        full, api = f"{self._module}{name}", table()
        if full in ("linalg", "lib", "lib.stride_tricks"):
            value: Any = Namespace(f"{full}.")
        elif full in api["ufuncs"]:
            value = Ufunc(_numpy(full))
        elif full in api["functions"]:
            value = _function(full, _numpy(full), parse(api["functions"][full]))
        elif full in api["values"]:
            value = _numpy(full)
        else:
            hint = f": {NO_RANDOM}" if full == "random" else ""
            raise AttributeError(f"module 'cupy' (as of {api['cupy']}) has no attribute {full!r}{hint}")
        setattr(self, name, value)
        return value


def _numpy(full: str) -> Any:
    return functools.reduce(getattr, full.split("."), np)


xp = Namespace()


# -- operators and methods of Array -----------------------------------------------------------------------------------

BINARY = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide", "mod": "remainder",
          "pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift",
          "rshift": "right_shift", "divmod": "divmod", "matmul": "matmul"}  # fmt: skip
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _defers_to(other: Any) -> bool:
    """Whether an operator leaves the work to the other operand's class, as minilm's Tensor asks for."""
    if isinstance(other, (Array, np.ndarray, *SCALARS)):
        return False
    theirs = getattr(other, "__array_ufunc__", "absent")
    return theirs is None or (theirs == "absent" and getattr(other, "__array_priority__", 0) > Array.__array_priority__)


def _operator(ufunc: str) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    def forward(self: Array, other: Any) -> Any:
        return NotImplemented if _defers_to(other) else getattr(xp, ufunc)(self, other)

    def reflected(self: Array, other: Any) -> Any:
        return getattr(xp, ufunc)(other, self)

    def in_place(self: Array, other: Any) -> Any:
        return getattr(xp, ufunc)(self, other, out=self)

    return forward, reflected, in_place


def _method(name: str, parameters: str) -> Callable[..., Any]:
    signature = parse(f"self, {parameters}")

    def call(self: Array, *args: Any, **kwargs: Any) -> Any:
        if name == "fill" and isinstance(args[0], list | np.ndarray) and np.ndim(args[0]):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        if name == "repeat" and isinstance(args[0], Array):
            raise ValueError("cupy.repeat takes no array for `repeats`")
        _total.launches += name in ("fill", "sort", "partition", "put")
        return _call(name, getattr(np.ndarray, name), signature, (self, *args), kwargs)

    return call


def _complete(cls: type[Array]) -> None:
    for name, ufunc in {**BINARY, **COMPARISONS}.items():
        forward, reflected, in_place = _operator(ufunc)
        setattr(cls, f"__{name}__", forward)
        if name in BINARY:
            setattr(cls, f"__r{name}__", reflected)
        if name in BINARY and name not in ("matmul", "divmod"):  # CuPy has no in-place matmul: x @= y makes a new array
            setattr(cls, f"__i{name}__", in_place)
    for name, ufunc in UNARY.items():
        setattr(cls, f"__{name}__", lambda self, ufunc=ufunc: getattr(xp, ufunc)(self))
    for name, parameters in table()["methods"].items():
        if hasattr(np.ndarray, name) and not hasattr(cls, name) and name not in ("dump", "dumps", "tofile", "byteswap"):
            setattr(cls, name, _method(name, parameters))


_complete(Array)


class PretendDevice(RowKernels):
    """The device whose arrays are `Array`. Its functions are those of the CUDA device.

    Products go the CUDA device's way, through `minilm.backend.cuda.cublas`, to cuBLAS's definition on the host's memory. The row
    kernels are launched with what the CUDA device would give them, which is counted, and compute nothing: the numbers are
    those of the function that `RowKernels` overrides.
    """

    def __init__(self) -> None:
        super().__init__("pretend", xp, Array)
        self._launched = [0]
        self._products = Products(xp, lambda x: x._a.ctypes.data, self._gemm)
        self._cublas = HostCublas()

    def from_host(self, array: np.ndarray[Any, Any]) -> Array:
        return _upload(array)

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        return array.get()

    def synchronize(self) -> None:
        _total.syncs += 1

    def product(self, a: Array, b: Array, out: Array | None = None, alpha: float = 1.0) -> Array:
        return self._products(a, b, out, alpha)

    def _gemm(self, *arguments: Any) -> None:
        _total.launches += 1
        self._cublas.calls.clear()
        with np.errstate(all="ignore"):
            self._cublas(*arguments)

    def _launch(self, name: str, dtype: Any, grid: tuple[int, ...], block: tuple[int, int], *args: Any) -> None:
        if not all(x.flags.c_contiguous for x in args if isinstance(x, Array) and name not in READS_STRIDES):
            raise PretendError(f"kernel {name} reads its arrays as if they were C-contiguous; one of them is not.")
        _total.launches += 1
        self._launched[-1] += 1


READS_STRIDES = {"masked_softmax", "cross_entropy_backward"}
"""Kernels that are told the strides of one of their arrays."""

FUSED = [name for name in vars(RowKernels) if not name.startswith("_") and hasattr(Accelerator, name)]
"""The functions for which the CUDA device has kernels of its own."""


def _fused(name: str) -> Callable[..., Any]:
    """What `RowKernels` launches for a function, and then the numbers of the function that it overrides."""
    launch, reference = getattr(RowKernels, name), getattr(Accelerator, name)

    @functools.wraps(reference)
    def call(self: PretendDevice, *args: Any, **kwargs: Any) -> Any:
        self._launched.append(0)
        result = launch(self, *args, **kwargs)
        if not self._launched.pop():  # it left the work to the reference itself
            return result
        counted = replace(_total)
        result = reference(self, *args, **kwargs)
        _total.launches = counted.launches
        return result

    return call


for _name in FUSED:
    if callable(getattr(RowKernels, _name)):
        setattr(PretendDevice, _name, _fused(_name))


@functools.cache
def device() -> Device:
    """The pretend device, known to minilm as "pretend"."""
    return register_device(PretendDevice())
