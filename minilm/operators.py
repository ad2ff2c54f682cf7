"""`Operators`: what Python's own syntax means for a Tensor: ``a + b``, ``a @ b``, ``a < b``, ``a & b``, ``a += b``, ``a[i]``,
``len(a)``, ``float(a)``, ``print(a)``.

Arithmetic is ops, recorded like any other. Comparisons and bitwise operators answer with booleans or integers, which have no
gradient: they ask the array module. What changes a Tensor in place is refused where the recorded graph would not know of it. The
methods with names stand in `minilm.methods`; both are bases of `minilm.tensor.Tensor`, and ``self`` is a Tensor in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.backend import DeviceError, as_array, cpu, quiet, read_only, to_host
from minilm.convert import PLAIN, is_numeric, is_tensor_type, operand
from minilm.graph import modes
from minilm.ops import arithmetic, linalg, rounding
from minilm.ops.arguments import shape_of
from minilm.ops.explain import describe
from minilm.ops.index import getitem
from minilm.ops.op import as_operator
from minilm.types import Array

_BITWISE = {"&": "bitwise_and", "|": "bitwise_or", "^": "bitwise_xor", "<<": "left_shift", ">>": "right_shift"}


def _comparison(name: str, ufunc: str) -> Any:
    """The operator that answers with a boolean Tensor.

    Beside what is no number (None, a string, an object) == is False and != True, as Python has it for strangers, so that
    `x in [None, "a"]` and `x == None` can be asked; the others raise TypeError.
    """

    def compare(self: Any, other: Any) -> Any:
        if type(other) not in PLAIN and not is_numeric(other):
            return NotImplemented
        device = self.device
        x = operand(other, device, ufunc)
        try:
            return self._wrap(as_array(getattr(device.xp, ufunc)(self._data, x)))
        except ValueError as error:
            raise _misfit(ufunc, self, x, error) from None

    compare.__name__, compare.__qualname__ = f"__{name}__", f"Tensor.__{name}__"
    return compare


def _bitwise(name: str, symbol: str) -> Any:
    """The operator with a Tensor on its left, with one on its right, and in place.

    On booleans they are the logical ones; on integers they work on each bit of two's complement.
    """
    ufunc = _BITWISE[symbol]

    def compute(self: Any, other: Any, reflected: Any) -> Any:
        if type(other) not in PLAIN and not is_numeric(other):
            return NotImplemented
        device = self.device
        x = operand(other, device, symbol)
        _check_bitwise(symbol, self._data, x)
        function = getattr(device.xp, ufunc)
        try:
            return self._wrap(as_array(function(x, self._data) if reflected else function(self._data, x)))
        except (TypeError, ValueError, OverflowError) as error:
            raise _misfit(symbol, self, x, error) from None

    def forward(self: Any, other: Any) -> Any:
        return compute(self, other, False)

    def reflected(self: Any, other: Any) -> Any:
        return compute(self, other, True)

    def in_place(self: Any, other: Any) -> Any:
        if type(other) not in PLAIN and not is_numeric(other):
            return NotImplemented
        _check_bitwise(symbol, self._data, operand(other, self.device, symbol))
        return self._update(ufunc, other)

    for function, prefix in ((forward, ""), (reflected, "r"), (in_place, "i")):
        function.__name__, function.__qualname__ = f"__{prefix}{name}__", f"Tensor.__{prefix}{name}__"
    return forward, reflected, in_place


def _check_bitwise(symbol: str, *operands: Any) -> None:
    """Raises TypeError beside a float, and where booleans would be shifted."""
    for x in operands:
        kind = getattr(getattr(x, "dtype", None), "kind", "f" if isinstance(x, float) else "i")
        if kind == "f" or (kind == "b" and symbol in ("<<", ">>")):
            wanted = "integers" if kind == "b" else "integers and booleans"
            raise TypeError(
                f"{symbol} works on the bits of {wanted}, not on {describe(x)}; compare first, as in (x > 0) & (x < 1), or "
                "cast with .to('int64')."
            )


def _overwrite(array: Array, x: Any) -> None:
    array[...] = x


def _misfit(what: str, tensor: Any, x: Any, error: Exception) -> Exception:
    """The array module's complaint about an operand of `tensor`, in terms of both."""
    both = f"{what}: {describe(x)} beside this tensor of {describe(tensor)}"
    if isinstance(error, TypeError):
        return TypeError(f"{both}: its dtype does not hold the result; cast one of them with .to(...).")
    if isinstance(error, OverflowError):
        return OverflowError(f"{both}: {error}.")
    return ValueError(f"{both}: the shapes do not fit; sizes must be equal, or 1 in what is broadcast ({error}).")


def plain_index(index: Any) -> Any:
    """An index with the arrays of its Tensors in their place."""
    if isinstance(index, tuple):
        return tuple(plain_index(i) for i in index)
    return index.data if is_tensor_type(type(index)) else index


class Operators:
    """A base of Tensor; see the module."""

    __slots__ = ()

    # -- arithmetic ---------------------------------------------------------------------------------------------------

    __add__, __radd__ = as_operator(arithmetic.add, "add")
    __sub__, __rsub__ = as_operator(arithmetic.sub, "sub")
    __mul__, __rmul__ = as_operator(arithmetic.mul, "mul")
    __truediv__, __rtruediv__ = as_operator(arithmetic.div, "truediv")
    __pow__, __rpow__ = as_operator(arithmetic.pow, "pow")
    __matmul__, __rmatmul__ = as_operator(linalg.matmul, "matmul")
    __mod__, __rmod__ = as_operator(rounding.remainder, "mod")
    __floordiv__, __rfloordiv__ = as_operator(rounding.floor_divide, "floordiv")

    def __divmod__(self: Any, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self: Any, other: Any) -> Any:
        return other // self, other % self

    def __neg__(self: Any) -> Any:
        return self.__minilm_op__(arithmetic.neg, (self,), {})

    def __pos__(self: Any) -> Any:
        return self

    def __abs__(self: Any) -> Any:
        return arithmetic.abs(self)

    def __round__(self: Any, decimals: Any = None) -> Any:
        return rounding.round(self, decimals or 0)

    def __floor__(self: Any) -> Any:
        return rounding.floor(self)

    def __ceil__(self: Any) -> Any:
        return rounding.ceil(self)

    def __trunc__(self: Any) -> Any:
        return rounding.trunc(self)

    # -- comparisons, and the logic of their answers ------------------------------------------------------------------

    __lt__, __le__ = _comparison("lt", "less"), _comparison("le", "less_equal")
    __gt__, __ge__ = _comparison("gt", "greater"), _comparison("ge", "greater_equal")
    __eq__, __ne__ = _comparison("eq", "equal"), _comparison("ne", "not_equal")

    __hash__ = object.__hash__  # by identity, whatever == says

    __and__, __rand__, __iand__ = _bitwise("and", "&")
    __or__, __ror__, __ior__ = _bitwise("or", "|")
    __xor__, __rxor__, __ixor__ = _bitwise("xor", "^")
    __lshift__, __rlshift__, __ilshift__ = _bitwise("lshift", "<<")
    __rshift__, __rrshift__, __irshift__ = _bitwise("rshift", ">>")

    def __invert__(self: Any) -> Any:
        _check_bitwise("~", self._data, 0)
        return self._wrap(as_array(self.device.xp.invert(self._data)))

    # -- changing it in place -----------------------------------------------------------------------------------------

    def _in_place(self: Any, what: str, other: Any) -> Array:
        """The array, for writing: refused while it would falsify the recorded graph."""
        if modes.grad and (self._requires_grad or (is_tensor_type(type(other)) and other._requires_grad)):
            raise RuntimeError(
                f"{what} in place on a tensor that requires a gradient would not be recorded: use 'with no_grad():' to change "
                "a parameter, or the out-of-place form (x = x + y) to differentiate through it."
            )
        return self._data

    def _written(self: Any, what: str, other: Any, write: Callable[[Array, Any], Any]) -> Any:
        """``write(array, operand)`` in place; returns itself. An error leaves everything as it was.

        Raises:
            RuntimeError: the recorded graph forbids it, or the memory is read-only.
            TypeError, ValueError: `other` is no number, has a type that this dtype does not hold, or does not broadcast here.
        """
        array = self._in_place(what, other)
        x = operand(other, self.device, what)
        try:
            with quiet():
                write(array, x)
        except (TypeError, ValueError, OverflowError, IndexError) as error:
            if not getattr(array.flags, "writeable", True):  # a GPU's arrays always can be written
                raise RuntimeError(
                    f"{what} in place: this tensor's memory is read-only, as that of an expanded tensor or of an array from "
                    "numpy() is; change a copy (.clone(), or ml.tensor(array))."
                ) from None
            if isinstance(error, IndexError) or str(error).startswith("getitem"):
                raise
            raise _misfit(what, self, x, error) from None
        self.bump_version()
        return self

    def copy_(self: Any, other: Any) -> Any:
        """Overwrites the numbers with those of `other` (broadcast, cast to this dtype); returns itself."""
        return self._written("copy_", other, _overwrite)

    def fill_(self: Any, value: Any) -> Any:
        """Overwrites all numbers with one; returns itself."""
        if isinstance(value, list | tuple) or shape_of(value):
            raise ValueError(f"fill_: expected one number, got {describe(value)}; use copy_ for several.")
        return self._written("fill_", value, _overwrite)

    def zero_(self: Any) -> Any:
        """Overwrites all numbers with 0; returns itself."""
        return self.fill_(0.0)

    def _update(self: Any, ufunc: str, other: Any) -> Any:
        operate = getattr(self.device.xp, ufunc)
        return self._written(ufunc, other, lambda array, x: operate(array, x, out=array))

    def __iadd__(self: Any, other: Any) -> Any:
        return self._update("add", other)

    def __isub__(self: Any, other: Any) -> Any:
        return self._update("subtract", other)

    def __imul__(self: Any, other: Any) -> Any:
        return self._update("multiply", other)

    def __itruediv__(self: Any, other: Any) -> Any:
        return self._update("true_divide", other)

    def __imod__(self: Any, other: Any) -> Any:
        return self.remainder_(other)

    def __ifloordiv__(self: Any, other: Any) -> Any:
        return self.floor_divide_(other)

    def __ipow__(self: Any, other: Any) -> Any:
        return self.pow_(other)

    # -- elements -----------------------------------------------------------------------------------------------------

    def __getitem__(self: Any, index: Any) -> Any:
        return getitem(self, index=index)

    def __setitem__(self: Any, index: Any, value: Any) -> Any:
        where = plain_index(index)

        def assign(array: Any, x: Any) -> Any:
            try:
                array[where] = x
            except (IndexError, TypeError, ValueError):
                self.detach()[index]  # an index that does not fit is named as it is where elements are read
                raise

        self._written("assignment", value, assign)

    def __len__(self: Any) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without axes.")
        return self.shape[0]

    def __iter__(self: Any) -> Any:
        return (self[i] for i in range(len(self)))

    # -- as something else --------------------------------------------------------------------------------------------

    def __bool__(self: Any) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth value of a tensor of shape {self.shape} is ambiguous: use (x > 0).all() or .any()."
            )
        return bool(self.item())

    def __float__(self: Any) -> float:
        return float(self.item())

    def __int__(self: Any) -> int:
        return int(self.item())

    def __index__(self: Any) -> int:
        if self.dtype.kind not in "iu" or self.size != 1:
            raise TypeError(f"only one integer can be used as an index, this tensor is {self.dtype} {self.shape}.")
        return int(self.item())

    def __array__(self: Any, dtype: Any = None, copy: Any = None) -> Any:
        if self._requires_grad:
            raise RuntimeError("this tensor requires a gradient, which NumPy would lose: use x.detach().numpy().")
        if self.device is not cpu:
            raise DeviceError(f"this tensor is on {self.device.name}: use x.numpy() or x.to('cpu').")
        array = np.array(self._data, dtype=dtype, copy=copy)
        return read_only(array) if np.may_share_memory(array, self._data) else array

    def __repr__(self: Any) -> str:
        numbers = np.array2string(to_host(self._data), precision=4, separator=", ", prefix="tensor(", threshold=100)
        extras = [] if self.dtype in (np.float32, np.int64, np.bool_) else [f"dtype={self.dtype}"]
        extras += [] if self.device is cpu else [f"device='{self.device.name}'"]
        extras += (
            [f"grad_fn=<{self._node.op.name}>"] if self._node else ["requires_grad=True"] if self._requires_grad else []
        )
        extras += [f"name='{self.name}'"] if self.name else []
        return f"tensor({', '.join([numbers, *extras])})"

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if self.size == 1 and spec else repr(self)


__all__ = ["Operators", "plain_index"]
