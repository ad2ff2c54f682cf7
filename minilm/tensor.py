"""Tensor: an array that knows how it was computed."""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm import graph
from minilm.backend import (
    Device,
    DeviceError,
    as_array,
    cpu,
    device_of,
    get_device,
    held_once,
    is_device_name,
    is_nested,
    quiet,
    read_only,
    to_device,
    to_host,
    writable,
)
from minilm.graph import Node, modes
from minilm.methods import Methods
from minilm.ops import REGISTRY
from minilm.ops.arguments import shape_of
from minilm.ops.dtypes import FLOAT32, FLOAT64, joint_dtype, number_dtype, set_default_float, settle
from minilm.ops.explain import USUAL, describe
from minilm.ops.op import Op, Spec
from minilm.types import Array

_new = object.__new__
_PLAIN = frozenset({bool, int, float})
DEPTH = 64  # of nested lists: NumPy's arrays have no more axes
_default_dtype = np.dtype(np.float32)


_add, _sub, _mul, _div, _pow, _neg, _matmul = (
    REGISTRY[name] for name in ("add", "sub", "mul", "div", "pow", "neg", "matmul")
)


def set_default_dtype(dtype: Any) -> None:
    """The float type of new Tensors that are made from Python numbers: float32 at first.

    Raises:
        TypeError: `dtype` is no float type.
    """
    global _default_dtype
    new = np.dtype(dtype)
    if new.kind != "f":
        raise TypeError(f"the default dtype must be a float type, got {new}.")
    _default_dtype = new
    set_default_float(new)


def get_default_dtype() -> np.dtype[Any]:
    """The float type of new Tensors that are made from Python numbers."""
    return _default_dtype


def _method(name: str) -> Callable[..., Any]:
    """The op of that name as a method: ``x.exp()`` is ``exp(x)``, with the same further arguments."""

    call = REGISTRY[name].__call__

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs) if kwargs else call(self, *args)

    method.__name__ = name
    method.__doc__ = f"The op `{name}` of this tensor; see ``minilm.ops.REGISTRY['{name}']``."
    return method


class Tensor(Methods):
    """A multidimensional array on one device, with a place in the recorded graph.

    Args:
        data: numbers, nested lists of numbers, or a NumPy or CuPy array. An array is shared, not copied: what is written into it
            later is seen here, but not by a graph that has saved it, whose gradients are then wrong. `tensor` copies.
        requires_grad: whether ops on it are recorded and ``backward()`` gives it a ``grad``. Float dtypes only.
        dtype: default: an array's own; float32 (`set_default_dtype`) for Python floats; int64 for ints; bool for bools.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``; default: where the data is.
        name: shown in errors and in the step-through.

    Raises:
        TypeError: the data are not numbers, or `requires_grad` with a dtype that is not float.
        DeviceError: the device is unknown or not usable; the sentence says why.
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_hooks", "_index", "_node", "_requires_grad", "_version", "name")
    __array_ufunc__ = None  # NumPy and CuPy arrays on the left of an operator ask this class
    _data: Array
    _node: Node | None
    _index: int
    _version: list[int]
    _hooks: list[Callable[[Any], Any]] | None
    _grad: Tensor | None
    name: str | None

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        *,
        dtype: Any = None,
        device: str | Device | None = None,
        name: str | None = None,
    ) -> None:
        array = _as_array(data, dtype)
        if device is not None:
            array = to_device(array, device)
        self._set(array, None, 0)
        self.name = name
        if requires_grad:
            self.requires_grad_()

    def _set(self, array: Array, node: Node | None, index: int) -> None:
        self._data, self._node, self._index = array, node, index
        self._requires_grad = node is not None
        self._version, self._hooks = [0], None
        self._grad = self.name = None

    @staticmethod
    def _wrap(array: Array, node: Node | None = None, index: int = 0) -> Tensor:
        """A Tensor around an array of a device, without any check: what ops return."""
        self: Tensor = _new(Tensor)
        self._data, self._node, self._index = array, node, index  # as _set, whose call would take a while in a small op
        self._requires_grad = node is not None
        self._version, self._hooks = [0], None
        self._grad = self.name = None
        return self

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array itself. After changing it in place by hand, call `bump_version`; ``x.data -= ...`` does so itself.

        An array that is assigned is taken as it is, but for one that is read-only (such as that of `numpy`), which is copied.
        """
        return self._data

    @data.setter
    def data(self, array: Array) -> None:
        if not self.device.owns(array) or array.shape != self._data.shape:
            raise ValueError(
                f"data: expected an array of shape {self.shape} on {self.device.name}, got {type(array).__name__} {shape_of(array)}."
            )
        self._data = writable(array)
        self.bump_version()

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() has added up for this leaf (or for a result, by `retain_grad`); None before.

        Raises:
            TypeError, ValueError, DeviceError: what is assigned is no Tensor (nor None), or has not this Tensor's shape and
                dtype, or is on another device.
        """
        return self._grad

    @grad.setter
    def grad(self, g: Tensor | None) -> None:
        if g is not None:
            if not isinstance(g, Tensor):
                raise TypeError(f"grad: expected a Tensor or None, got a {type(g).__name__}; wrap it: Tensor(...).")
            if g._data.shape != self._data.shape or g._data.dtype != self._data.dtype:
                raise ValueError(
                    f"grad: expected {describe(self)} as the tensor, got {describe(g)}; see reshape and to({str(self.dtype)!r})."
                )
            if g.device is not self.device:
                raise DeviceError(
                    f"grad: it is on {g.device.name}, the tensor on {self.device.name}; move it with .to(...)."
                )
        self._grad = g

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._data.shape)

    @property
    def ndim(self) -> int:
        return int(self._data.ndim)

    @property
    def size(self) -> int:
        return int(self._data.size)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @property
    def device(self) -> Device:
        return device_of(self._data)

    @property
    def requires_grad(self) -> bool:
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it: parameters and inputs."""
        return self._node is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that made it; None for a leaf."""
        return self._node

    @property
    def hooks(self) -> dict[int, list[Callable[[Any], Any]]]:
        """The gradient hooks of a leaf, as a node has them: by output index."""
        return {0: self._hooks} if self._hooks else {}

    def _place(self) -> tuple[Any, int]:
        """Where it stands in the graph: (node, output index), or (itself, 0) for a leaf."""
        return (self, 0) if self._node is None else (self._node, self._index)

    def requires_grad_(self, value: bool = True) -> Tensor:
        """Starts (or stops) recording ops on this leaf; returns it."""
        if value and self.dtype.kind != "f":
            raise TypeError(f"only float tensors can require a gradient, this one is {self.dtype}; use .to('float32').")
        if not value and self._node is not None:
            raise RuntimeError(
                "requires_grad can only be switched off for a leaf; use .detach() for the result of an op."
            )
        self._requires_grad = bool(value)
        return self

    def named(self, name: str) -> Tensor:
        """Gives the Tensor a name for errors and the step-through; returns it."""
        self.name = name
        return self

    def bump_version(self) -> None:
        """Says that the numbers were changed in place: a graph that saved them will refuse to use them."""
        self._version[0] += 1

    # -- out of the graph ---------------------------------------------------------------------------------------------

    def detach(self) -> Tensor:
        """The same array (and version counter) without its history."""
        out = Tensor._wrap(self._data)
        out._version = self._version
        return out

    def numpy(self) -> np.ndarray[Any, Any]:
        """The numbers as a NumPy array that can be read and not written.

        On the CPU it shares this Tensor's memory, and shows what becomes of it. Written to, it would change numbers that a
        recorded graph has saved, without its knowing: gradients would be wrong in silence. ``x.numpy().copy()`` can be written;
        ``x[...] = value`` and `copy_` change the Tensor.
        """
        return read_only(to_host(self._data))

    def item(self) -> Any:
        """The number of a Tensor with one element, as a Python scalar. On a GPU this waits."""
        if self.size != 1:
            raise ValueError(f"item() needs exactly one element, this tensor has shape {self.shape}.")
        return to_host(self._data).reshape(-1)[0].item()

    def tolist(self) -> Any:
        return to_host(self._data).tolist()

    def clone(self) -> Tensor:
        """A copy of its own memory, still in the graph."""
        return REGISTRY["cast"](self, dtype=self.dtype)

    def to(self, target: Any = None, dtype: Any = None, *, device: Any = None) -> Tensor:
        """On another device (``"cpu"``, ``"cuda"``, ``"auto"``, a Device) or in another dtype; itself if nothing changes.

        The gradient of a moved Tensor is moved back. ``x.to("cuda", "float16")`` does both, ``x.to(y)`` what y has.
        """
        if isinstance(target, Tensor):
            return self.to(target.device).to(target.dtype)
        if dtype is not None or device is not None:
            changes = [change for change in (target, device, dtype) if change is not None]
            return functools.reduce(Tensor.to, changes, self)
        if isinstance(target, Device) or is_device_name(target):
            device = get_device(target)
            return self if device is self.device else REGISTRY["move"](self, device=device)
        return self if number_dtype(target) == self.dtype else REGISTRY["cast"](self, dtype=target)

    def astype(self, dtype: Any) -> Tensor:
        """In another dtype, as NumPy says it."""
        return self.to(number_dtype(dtype))

    def double(self) -> Tensor:
        """In float64, as gradient checks need it."""
        return self.to(np.float64)

    # -- differentiation ----------------------------------------------------------------------------------------------

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        r"""Adds :math:`\partial L/\partial p` to ``p.grad`` of every leaf p that this Tensor L was computed from.

        Args:
            gradient: :math:`\partial (\text{final loss})/\partial L`, of this shape; may be omitted for one element.
            retain_graph: keep the graph for another backward().
            create_graph: record the gradient computation too, for second derivatives.

        Raises:
            RuntimeError: nothing here requires a gradient, the graph was freed, or a saved array was changed in place.
            ValueError: `gradient` is missing or has another shape.

        After an error on the way, such as a hook's, each leaf has all of its gradient or none; see `minilm.graph.run_backward`.
        """
        roots = [_root(self, gradient)]
        with graph.enable_grad() if create_graph else graph.no_grad(), quiet():
            graph.run_backward(
                _arrays(roots, create_graph),
                None,
                create_graph,
                retain_graph,
                Tensor._wrap,
                lambda leaf, arrived: leaf._deposit(arrived, create_graph),
            )

    def _deposit(self, arrived: dict[int, Any], create_graph: bool) -> None:
        """Adds an arrived gradient to ``grad``, in memory that is this Tensor's own."""
        own = create_graph or self.grad is not None or held_once(arrived, 0)
        g = arrived[0] if own else arrived[0].copy()
        self._accumulate(g if create_graph else Tensor._wrap(g))

    def _accumulate(self, g: Tensor) -> None:
        if self.grad is None:
            self.grad = g
        elif g.requires_grad or self.grad.requires_grad:
            self.grad = self.grad + g
        else:
            self.grad.data += g.data

    def retain_grad(self) -> Tensor:
        """Asks backward() to fill ``grad`` of this Tensor too, though it is the result of an op; returns it."""
        if self._node is not None:
            self._node.retained = {**(self._node.retained or {}), self._index: weakref.ref(self)}
        return self

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Calls ``hook(gradient)`` when this Tensor's gradient is complete; what it returns (unless None) replaces it.

        That may be a Tensor, an array or a number of the gradient's shape: it is converted to the gradient's dtype and device.
        Anything else, and any error of the hook itself, ends the walk (see `minilm.graph.run_backward` for what is left then).

        Returns:
            A function that removes the hook.
        """
        if not self._requires_grad:
            raise RuntimeError("a gradient hook on a tensor that does not require a gradient would never be called.")
        if self._node is None:
            hooks = self._hooks = self._hooks or []
        else:
            self._node.hooks = self._node.hooks or {}
            hooks = self._node.hooks.setdefault(self._index, [])
        hooks.append(hook)
        return lambda: hooks.remove(hook) if hook in hooks else None

    @staticmethod
    def __minilm_op__(op: Op, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Applies an op to inputs of which at least one is a Tensor, and records it where a gradient is wanted.

        (``**params`` of an empty dictionary would cost a quarter of a microsecond, half of a small addition.)
        """
        arrays: list[Any] = []
        device: Device = cpu
        kind = dtype = None
        record = mixed = False
        for x in inputs:
            if isinstance(x, Tensor):
                array = x._data
                record = record or x._requires_grad
            elif type(x) in (bool, int, float):
                arrays.append(x)
                continue
            elif x is None:
                op.check_absent(len(arrays))
                arrays.append(x)
                continue
            elif isinstance(x, np.generic):  # NumPy's scalars would turn float32 into float64; Python's do not
                arrays.append(x.item())
                continue
            else:
                array = _as_input(op, x, inputs)
            arrays.append(array)
            if type(array) is not kind:
                here = device_of(array)
                if kind is not None and here is not device:
                    raise DeviceError(
                        f"{op.name}: inputs are on {device.name} and on {here.name}; move one with .to(...)."
                    )
                device, kind = here, type(array)
            given = array.dtype
            if given is not dtype:
                mixed, dtype = mixed or dtype is not None, given
        if mixed or (dtype is not FLOAT32 and dtype is not FLOAT64):
            plan = op.plan(arrays)
            if plan is not None:
                known = [x if isinstance(x, Tensor) else array for x, array in zip(inputs, arrays, strict=True)]
                return plan.run(lambda *xs: _apply(op, xs, params), known)
        now = modes.__dict__
        observers = now["observers"]
        if observers:
            graph.announce(op, "forward")
        try:
            quietly = now["quietly"]
            out = quietly(op.forward, device, *arrays, **params) if params else quietly(op.forward, device, *arrays)
        except RuntimeError as error:
            if not is_nested(error):
                raise
            out = op.forward(device, *arrays, **params)
        except USUAL as error:
            raise op.explain(error, arrays, params)  # noqa: B904  (explain decides what the traceback shows)
        aux = None
        if op.has_aux:
            out, aux = out
        if op.multi:
            results = [Tensor._wrap(settle(as_array(y), arrays, params)) for y in out]
        else:
            y = out if type(out) is kind else as_array(out)
            if mixed or y.dtype is not dtype:
                y = settle(y, arrays, params)
            results = [Tensor._wrap(y)]
        if op.view:
            for result in results:
                result._version = next(x._version for x in inputs if isinstance(x, Tensor))
        if record and now["grad"]:
            _record(op, inputs, arrays, params, results, aux)
        for observer in observers:
            if hasattr(observer, "forward"):
                observer.forward(op, inputs, params, results)
        return tuple(results) if op.multi else results[0]

    # -- changing it in place -----------------------------------------------------------------------------------------

    def _in_place(self, what: str, *others: Any) -> Array:
        """The array, for writing: refused while it would falsify the recorded graph."""
        if modes.grad and (self._requires_grad or any(isinstance(x, Tensor) and x._requires_grad for x in others)):
            raise RuntimeError(
                f"{what} in place on a tensor that requires a gradient would not be recorded: use 'with no_grad():' to change "
                "a parameter, or the out-of-place form (x = x + y) to differentiate through it."
            )
        return self._data

    def _written(self, what: str, other: Any, write: Callable[[Array, Any], Any]) -> Tensor:
        """``write(array, operand)`` in place; returns itself. An error leaves everything as it was.

        Raises:
            RuntimeError: the recorded graph forbids it, or the memory is read-only.
            TypeError, ValueError: `other` is no number, has a type that this dtype does not hold, or does not broadcast here.
        """
        array = self._in_place(what, other)
        x = _operand(other, self.device, what)
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

    def copy_(self, other: Any) -> Tensor:
        """Overwrites the numbers with those of `other` (broadcast, cast to this dtype); returns itself."""
        return self._written("copy_", other, _overwrite)

    def fill_(self, value: Any) -> Tensor:
        """Overwrites all numbers with one; returns itself."""
        if isinstance(value, list | tuple) or shape_of(value):
            raise ValueError(f"fill_: expected one number, got {describe(value)}; use copy_ for several.")
        return self._written("fill_", value, _overwrite)

    def zero_(self) -> Tensor:
        return self.fill_(0.0)

    def _update(self, ufunc: str, other: Any) -> Tensor:
        operate = getattr(self.device.xp, ufunc)
        return self._written(ufunc, other, lambda array, x: operate(array, x, out=array))

    def __iadd__(self, other: Any) -> Tensor:
        return self._update("add", other)

    def __isub__(self, other: Any) -> Tensor:
        return self._update("subtract", other)

    def __imul__(self, other: Any) -> Tensor:
        return self._update("multiply", other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._update("true_divide", other)

    def __setitem__(self, index: Any, value: Any) -> None:
        where = plain_index(index)

        def assign(array: Array, x: Any) -> None:
            try:
                array[where] = x
            except (IndexError, TypeError, ValueError):
                self.detach()[index]  # an index that does not fit is named as it is where elements are read
                raise

        self._written("assignment", value, assign)

    # -- operators ----------------------------------------------------------------------------------------------------

    # The ops of arithmetic have no parameters to sort and nothing to check, so operators apply them at once.

    def __add__(self, other: Any) -> Tensor:
        return _apply(_add, (self, other), {})

    def __radd__(self, other: Any) -> Tensor:
        return _apply(_add, (other, self), {})

    def __sub__(self, other: Any) -> Tensor:
        return _apply(_sub, (self, other), {})

    def __rsub__(self, other: Any) -> Tensor:
        return _apply(_sub, (other, self), {})

    def __mul__(self, other: Any) -> Tensor:
        return _apply(_mul, (self, other), {})

    def __rmul__(self, other: Any) -> Tensor:
        return _apply(_mul, (other, self), {})

    def __truediv__(self, other: Any) -> Tensor:
        return _apply(_div, (self, other), {})

    def __rtruediv__(self, other: Any) -> Tensor:
        return _apply(_div, (other, self), {})

    def __pow__(self, other: Any) -> Tensor:
        return _apply(_pow, (self, other), {})

    def __rpow__(self, other: Any) -> Tensor:
        return _apply(_pow, (other, self), {})

    def __matmul__(self, other: Any) -> Tensor:
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _matmul(other, self)

    def __neg__(self) -> Tensor:
        return _apply(_neg, (self,), {})

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return REGISTRY["abs"](self)

    # Comparisons answer with a boolean Tensor. Beside what is no number (None, a string, an object) == is False and != True,
    # as Python has it for strangers, so that `x in [None, "a"]` and `x == None` can be asked; the others raise TypeError.

    def _compare(self, ufunc: str, other: Any) -> Any:
        device = self.device
        if type(other) not in _PLAIN and not isinstance(other, Tensor) and not _is_numeric(other):
            return NotImplemented
        x = _operand(other, device, ufunc)
        try:
            return Tensor._wrap(as_array(getattr(device.xp, ufunc)(self._data, x)))
        except ValueError as error:
            raise _misfit(ufunc, self, x, error) from None

    def __lt__(self, other: Any) -> Tensor:
        return self._compare("less", other)

    def __le__(self, other: Any) -> Tensor:
        return self._compare("less_equal", other)

    def __gt__(self, other: Any) -> Tensor:
        return self._compare("greater", other)

    def __ge__(self, other: Any) -> Tensor:
        return self._compare("greater_equal", other)

    def __eq__(self, other: Any) -> Any:
        return self._compare("equal", other)

    def __ne__(self, other: Any) -> Any:
        return self._compare("not_equal", other)

    # Bitwise operators: on booleans they are the logical ones; on integers they work on each bit of two's complement.

    def _bitwise(self, symbol: str, other: Any, reflected: bool = False) -> Any:
        if type(other) not in _PLAIN and not isinstance(other, Tensor) and not _is_numeric(other):
            return NotImplemented
        device = self.device
        x = _operand(other, device, symbol)
        _check_bitwise(symbol, self._data, x)
        function = getattr(device.xp, _BITWISE[symbol])
        try:
            return Tensor._wrap(as_array(function(x, self._data) if reflected else function(self._data, x)))
        except (TypeError, ValueError, OverflowError) as error:
            raise _misfit(symbol, self, x, error) from None

    def _bitwise_update(self, symbol: str, other: Any) -> Any:
        if type(other) not in _PLAIN and not isinstance(other, Tensor) and not _is_numeric(other):
            return NotImplemented
        _check_bitwise(symbol, self._data, _operand(other, self.device, symbol))
        return self._update(_BITWISE[symbol], other)

    def __and__(self, other: Any) -> Tensor:
        return self._bitwise("&", other)

    def __rand__(self, other: Any) -> Tensor:
        return self._bitwise("&", other, reflected=True)

    def __iand__(self, other: Any) -> Tensor:
        return self._bitwise_update("&", other)

    def __or__(self, other: Any) -> Tensor:
        return self._bitwise("|", other)

    def __ror__(self, other: Any) -> Tensor:
        return self._bitwise("|", other, reflected=True)

    def __ior__(self, other: Any) -> Tensor:
        return self._bitwise_update("|", other)

    def __xor__(self, other: Any) -> Tensor:
        return self._bitwise("^", other)

    def __rxor__(self, other: Any) -> Tensor:
        return self._bitwise("^", other, reflected=True)

    def __ixor__(self, other: Any) -> Tensor:
        return self._bitwise_update("^", other)

    def __lshift__(self, other: Any) -> Tensor:
        return self._bitwise("<<", other)

    def __rlshift__(self, other: Any) -> Tensor:
        return self._bitwise("<<", other, reflected=True)

    def __ilshift__(self, other: Any) -> Tensor:
        return self._bitwise_update("<<", other)

    def __rshift__(self, other: Any) -> Tensor:
        return self._bitwise(">>", other)

    def __rrshift__(self, other: Any) -> Tensor:
        return self._bitwise(">>", other, reflected=True)

    def __irshift__(self, other: Any) -> Tensor:
        return self._bitwise_update(">>", other)

    def __invert__(self) -> Tensor:
        _check_bitwise("~", self._data, 0)
        return Tensor._wrap(as_array(self.device.xp.invert(self._data)))

    def __hash__(self) -> int:
        return id(self)

    def __getitem__(self, index: Any) -> Tensor:
        return REGISTRY["getitem"](self, index=index)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without axes.")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth value of a tensor of shape {self.shape} is ambiguous: use (x > 0).all() or .any()."
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.size != 1:
            raise TypeError(f"only one integer can be used as an index, this tensor is {self.dtype} {self.shape}.")
        return int(self.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self._requires_grad:
            raise RuntimeError("this tensor requires a gradient, which NumPy would lose: use x.detach().numpy().")
        if self.device is not cpu:
            raise DeviceError(f"this tensor is on {self.device.name}: use x.numpy() or x.to('cpu').")
        array = np.array(self._data, dtype=dtype, copy=copy)
        return read_only(array) if np.may_share_memory(array, self._data) else array

    def __repr__(self) -> str:
        numbers = np.array2string(to_host(self._data), precision=4, separator=", ", prefix="tensor(", threshold=100)
        extras = [] if self.dtype in (np.float32, np.int64, np.bool_) else [f"dtype={self.dtype}"]
        extras += [] if self.device is cpu else [f"device='{self.device.name}'"]
        extras += (
            [f"grad_fn=<{self._node.op.name}>"] if self._node else ["requires_grad=True"] if self._requires_grad else []
        )
        extras += [f"name='{self.name}'"] if self.name else []
        return f"tensor({', '.join([numbers, *extras])})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.size == 1 and spec else repr(self)

    def __reduce__(self) -> Any:
        raise TypeError(
            "tensors are not pickled, since unpickling can run code: save numbers with safetensors or numpy.save."
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._node is not None:
            raise RuntimeError(
                "only a leaf can be copied with deepcopy; use .detach() or .clone() for the result of an op."
            )
        out = type(self).__new__(type(self))
        out._set(self._data.copy(), None, 0)
        out._requires_grad, out.name = self._requires_grad, self.name
        out.grad = None if self.grad is None else self.grad.detach().clone()
        memo[id(self)] = out
        return out

    # -- ops as methods -----------------------------------------------------------------------------------------------

    abs, sqrt, exp, log, sin, cos = (_method(name) for name in ("abs", "sqrt", "exp", "log", "sin", "cos"))
    tanh, sigmoid, relu, clip = (_method(name) for name in ("tanh", "sigmoid", "relu", "clip"))
    sum, mean, var, std = (_method(name) for name in ("sum", "mean", "var", "std"))
    max, min, prod, logsumexp, cumsum = (_method(name) for name in ("max", "min", "prod", "logsumexp", "cumsum"))
    swapaxes, squeeze, unsqueeze = (_method(name) for name in ("swapaxes", "squeeze", "unsqueeze"))
    split, tril, triu = (_method(name) for name in ("split", "tril", "triu"))
    softmax, log_softmax = (_method(name) for name in ("softmax", "log_softmax"))
    masked_fill, pow, matmul = (_method(name) for name in ("masked_fill", "pow", "matmul"))

    def reshape(self, *shape: Any) -> Tensor:
        """The same numbers under another shape, given as ``reshape(2, 3)`` or ``reshape((2, 3))``; one size may be -1."""
        return REGISTRY["reshape"](self, shape=_one_or_many(shape))

    def expand(self, *shape: Any) -> Tensor:
        """Axes of size 1, and new leading axes, repeated without copying."""
        return REGISTRY["expand"](self, shape=_one_or_many(shape))

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in the order given, as NumPy's ``transpose``; without arguments reversed."""
        return REGISTRY["transpose"](self, axes=_one_or_many(axes) or None)

    @property
    def T(self) -> Tensor:
        """The axes in reverse order."""
        return self.transpose()

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped: each matrix of a batch transposed."""
        return REGISTRY["swapaxes"](self, -1, -2)


_apply = Tensor.__minilm_op__
_BITWISE = {"&": "bitwise_and", "|": "bitwise_or", "^": "bitwise_xor", "<<": "left_shift", ">>": "right_shift"}


def _as_array(data: Any, dtype: Any) -> Array:
    """The array in (or made from) what a user gave as data."""
    if isinstance(data, Tensor):
        data = data._data
    if dtype is not None:
        dtype = number_dtype(dtype)
    try:
        device = device_of(data)
    except TypeError:
        tensors = _tensors_in(data)
        if tensors:
            return _joined(data, tensors, dtype)
        array = _from_numbers(data)
        own = isinstance(data, np.generic) or (isinstance(data, list | tuple) and _holds_arrays(data))
        return array.astype(
            dtype if dtype is not None else _default_dtype if array.dtype.kind == "f" and not own else array.dtype
        )
    if data.dtype.kind not in "fiub":
        raise TypeError(f"a tensor holds floats, integers or booleans; got dtype {data.dtype}.")
    if device is cpu and type(data) is not np.ndarray:
        data = np.asarray(data)
    return data if dtype is None else data.astype(dtype, copy=False)


def _from_numbers(data: Any) -> np.ndarray[Any, Any]:
    """A NumPy array made from numbers, nested lists of them, or another library's array.

    Raises:
        TypeError: something in it is no number.
        ValueError: the lists are ragged, or an integer is too large for 64 bits.
    """
    wanted = "expected numbers, nested lists of numbers of equal lengths, an array or a Tensor"
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            f"a tensor is a full block of numbers, these lists are ragged ({_ragged(data)}): {wanted}."
        ) from None
    except OverflowError as error:
        raise ValueError(f"a tensor holds numbers of 64 bits at most ({error}): {wanted}.") from None
    if array.dtype.kind in "fiub":
        return array
    stranger = _stranger(data)
    if array.dtype.kind == "O" and isinstance(stranger, int):
        raise ValueError(f"{stranger} is too large: a tensor holds integers of 64 bits at most.")
    raise TypeError(
        f"a tensor holds numbers; got {'None' if stranger is None else f'a {type(stranger).__name__}'}: {wanted}."
    )


def _ragged(data: Any) -> str:
    """Where lists are not of one shape, in words."""
    try:
        return _first_misfit(data)
    except RecursionError:
        return "a list that holds itself, or too many lists within each other"


def _first_misfit(data: Any) -> str:
    rows = list(data)
    if not all(isinstance(row, list | tuple) for row in rows):
        return "numbers beside lists"
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        return "rows of " + " and ".join(map(str, lengths)) + " elements"
    return next((_first_misfit(row) for row in rows if not _is_block(row)), "blocks of several shapes")


def _is_block(data: Any) -> bool:
    try:
        np.asarray(data)
    except ValueError:
        return False
    return True


def _stranger(data: Any) -> Any:
    """The first thing in nested lists that is no number of 64 bits; the data itself, where they are no list."""
    if isinstance(data, list | tuple):
        return next((found for found in map(_stranger, data) if not _is_number(found)), 0)
    return data


def _is_number(x: Any) -> bool:
    return isinstance(x, float | bool) or (isinstance(x, int) and -(2**63) <= x < 2**64)


def _as_input(op: Op, x: Any, inputs: Sequence[Any]) -> Array:
    """The array of an input that is neither a Tensor nor a Python number."""
    try:
        return _as_array(x, None)
    except (TypeError, ValueError) as error:
        name = next(op.input_name(i) for i, given in enumerate(inputs) if given is x)
        raise type(error)(f"{op.name}: input '{name}': {error}") from None


def _is_numeric(x: Any) -> bool:
    """Whether an object can be an operand: it is, or NumPy makes of it, an array of numbers."""
    if hasattr(x, "dtype"):
        return getattr(x.dtype, "kind", "O") in "fiub"
    if x is None or isinstance(x, str | bytes | dict | set | frozenset | type):
        return False
    try:
        return np.asarray(x).dtype.kind in "fiub"
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False


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


def _misfit(what: str, tensor: Tensor, x: Any, error: Exception) -> Exception:
    """The array module's complaint about an operand of `tensor`, in terms of both."""
    both = f"{what}: {describe(x)} beside this tensor of {describe(tensor)}"
    if isinstance(error, TypeError):
        return TypeError(f"{both}: its dtype does not hold the result; cast one of them with .to(...).")
    if isinstance(error, OverflowError):
        return OverflowError(f"{both}: {error}.")
    return ValueError(f"{both}: the shapes do not fit; sizes must be equal, or 1 in what is broadcast ({error}).")


def _tensors_in(data: Any) -> list[Tensor]:
    """The Tensors in nested lists. Level by level: a call for each row of numbers would take longer than their conversion."""
    found: list[Tensor] = []
    level = data if isinstance(data, list | tuple) else []
    for _ in range(DEPTH):  # a list may hold itself
        kinds = set(map(type, level))
        if kinds <= _PLAIN:
            return found
        if any(issubclass(kind, Tensor) for kind in kinds):
            found += [x for x in level if isinstance(x, Tensor)]
        if not any(issubclass(kind, list | tuple) for kind in kinds):
            return found
        if len(kinds) > 1:
            level = [x for x in level if isinstance(x, list | tuple)]
        level = list(itertools.chain.from_iterable(level))
    return found


def _joined(data: Any, tensors: list[Tensor], dtype: Any) -> Array:
    """Nested lists of Tensors, and of numbers beside them, as one array on their device.

    Raises:
        RuntimeError: a Tensor requires a gradient, which would be lost.
        DeviceError: they are on different devices.
        ValueError: parts of a list have different shapes.
    """
    if any(t.requires_grad for t in tensors):
        raise RuntimeError(
            "a tensor in this list requires a gradient, which a new tensor from a list would lose: use ml.stack(list), or "
            ".detach() each."
        )
    names = dict.fromkeys(t.device.name for t in tensors)
    if len(names) > 1:
        raise DeviceError(f"the tensors in this list are on {' and on '.join(names)}; move them with .to(...).")
    device = tensors[0].device

    def build(part: Any) -> Array:
        if not isinstance(part, list | tuple):
            return part._data if isinstance(part, Tensor) else to_device(_as_array(part, None), device)
        if not part:
            return device.xp.zeros(0, tensors[0].dtype)
        arrays = [build(p) for p in part]
        shapes = dict.fromkeys(shape_of(a) for a in arrays)
        if len(shapes) > 1:
            raise ValueError(
                f"the parts of a list must have one shape to become a tensor, got {' and '.join(map(str, shapes))}."
            )
        common = dtype if dtype is not None else joint_dtype([a.dtype for a in arrays])
        return device.xp.stack([a.astype(common, copy=False) for a in arrays])

    return build(data)


def _holds_arrays(data: Any) -> bool:
    return any(isinstance(x, np.ndarray | np.generic | Tensor) for x in data[:1])


def _operand(x: Any, device: Device, what: str) -> Any:
    """The other operand of a comparison, a bitwise operator or an in-place update."""
    if type(x) in _PLAIN:
        return x
    if isinstance(x, Tensor):
        x = x._data
    elif isinstance(x, bool | int | float):
        return x
    elif isinstance(x, np.generic) and x.dtype.kind in "fiub":
        return x.item()
    else:
        listed = isinstance(x, list | tuple)  # which is on no device yet
        try:
            x = _as_array(x, None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}: {error}") from None
        x = to_device(x, device) if listed else x
    if not device.owns(x):
        raise DeviceError(
            f"{what}: this tensor is on {device.name}, the other operand on {device_of(x).name}; move one with .to(...)."
        )
    return x


def _one_or_many(arguments: tuple[Any, ...]) -> Any:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], tuple | list) else arguments


def plain_index(index: Any) -> Any:
    """An index with the arrays of its Tensors in their place."""
    if isinstance(index, tuple):
        return tuple(plain_index(i) for i in index)
    return index._data if isinstance(index, Tensor) else index


def _record(
    op: Op, inputs: Sequence[Any], arrays: Sequence[Any], params: dict[str, Any], results: list[Tensor], aux: Any
) -> None:
    """Lets the results of an op remember it, where a gradient can flow.

    It runs for every op of a training step. Hence the plain loops: up to Python 3.11 a comprehension over one or two inputs is
    a function call, which takes longer than its rounds.
    """
    parents: list[Any] = []
    needed: list[bool] = []
    for i, x in enumerate(inputs):
        need = isinstance(x, Tensor) and x._requires_grad and (op.all_differentiable or op.rules[i] is not None)
        needed.append(need)
        parents.append(None if not need else x if x._node is None else (x._node, x._index))
    if True not in needed or "f" not in [y._data.dtype.kind for y in results]:
        return
    needs = tuple(needed)
    keep_y, keep = op.saves(needs)
    saved: list[Any] = []
    outputs: list[Any] = []
    versions: list[tuple[list[int], int, int]] = []
    node = Node(op, params, parents, needs, saved, outputs, versions, aux)
    for i, array in enumerate(arrays):
        if not keep[i]:
            saved.append(graph.keep_spec(array))
            continue
        saved.append(array)
        if isinstance(inputs[i], Tensor):
            cell = inputs[i]._version
            versions.append((cell, cell[0], i))
    for i, y in enumerate(results):
        y._node, y._index, y._requires_grad = node, i, True
        outputs.append(y._data if keep_y else None)
        if keep_y and not op.view:
            versions.append((y._version, 0, len(saved) + i))


def _root(tensor: Tensor, gradient: Any) -> tuple[Any, int, Tensor]:
    """Where a backward walk begins, and with which gradient."""
    if not tensor._requires_grad:
        raise RuntimeError(
            "backward() needs a result that was recorded: no input requires a gradient, or it was computed under no_grad()."
        )
    if gradient is None:
        if tensor.size != 1:
            raise ValueError(
                f"backward() of a tensor of shape {tensor.shape} needs gradient=...: a gradient is that of one number. "
                "Reduce it with .sum() or .mean(), or say how the final loss depends on it."
            )
        g = Tensor._wrap(tensor.device.xp.ones(tensor.shape, tensor.dtype))
    else:
        g = gradient if isinstance(gradient, Tensor) else Tensor(gradient, dtype=tensor.dtype)
    if g.shape != tensor.shape:
        raise ValueError(f"gradient has shape {g.shape}, expected that of the tensor, {tensor.shape}.")
    if g.device is not tensor.device:
        raise DeviceError(f"gradient is on {g.device.name}, the tensor on {tensor.device.name}.")
    return (*tensor._place(), g.to(tensor.dtype))


def _arrays(roots: Sequence[tuple[Any, int, Tensor]], create_graph: bool) -> list[tuple[Any, int, Any]]:
    return [(item, index, g if create_graph else g._data) for item, index, g in roots]


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    r"""The gradients of `outputs` with respect to `inputs`, without touching any ``grad``.

    .. math:: \bar x = \sum_k \left(\frac{\partial y_k}{\partial x}\right)^{\!\top} \bar y_k

    Args:
        outputs, inputs: a Tensor, or several.
        grad_outputs: the :math:`\bar y_k`; may be omitted where outputs have one element.
        retain_graph: keep the graph for another walk; default: `create_graph`.
        create_graph: record the gradient computation too, so that the results can be differentiated.
        allow_unused: give zeros for an input that the outputs do not depend on, instead of raising.

    Raises:
        RuntimeError: an input does not require a gradient or is not part of the outputs' graph, or as `Tensor.backward`.
    """
    ys: Sequence[Tensor] = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    xs: Sequence[Tensor] = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    gs = (
        [None] * len(ys)
        if grad_outputs is None
        else [grad_outputs]
        if isinstance(grad_outputs, Tensor)
        else list(grad_outputs)
    )
    if len(gs) != len(ys):
        raise ValueError(f"grad: {len(ys)} outputs but {len(gs)} grad_outputs.")
    for i, x in enumerate(xs):
        if not x._requires_grad:
            raise RuntimeError(f"grad: input {i} {x.shape} does not require a gradient.")
    roots = [_root(y, g) for y, g in zip(ys, gs, strict=True)]
    places = [x._place() for x in xs]
    retain = create_graph if retain_graph is None else retain_graph
    with graph.enable_grad() if create_graph else graph.no_grad(), quiet():
        found = graph.run_backward(
            _arrays(roots, create_graph), places, create_graph, retain, Tensor._wrap, lambda *_: None
        )
    results = []
    for i, (x, (item, index)) in enumerate(zip(xs, places, strict=True)):
        g = found.get((id(item), index))
        if g is None and not allow_unused:
            raise RuntimeError(
                f"grad: the outputs do not depend on input {i} {x.shape}; pass allow_unused=True for zeros."
            )
        results.append(
            Tensor._wrap(x.device.xp.zeros_like(x._data)) if g is None else g if create_graph else Tensor._wrap(g)
        )
    return tuple(results)


def tensor(
    data: Any,
    requires_grad: bool = False,
    *,
    dtype: Any = None,
    device: str | Device | None = None,
    name: str | None = None,
) -> Tensor:
    """A new leaf Tensor with a copy of `data`; see `Tensor` for the arguments."""
    array = _as_array(data, dtype)
    return Tensor(array.copy(), requires_grad, device=device, name=name)


def zeros(*shape: int, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False) -> Tensor:
    """Zeros, in the default float type: ``zeros(2, 3)`` or ``zeros((2, 3))``."""
    return Tensor(get_device(device).xp.zeros(_one_or_many(shape), dtype or _default_dtype), requires_grad)


def ones(*shape: int, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False) -> Tensor:
    """Ones, in the default float type: ``ones(2, 3)`` or ``ones((2, 3))``."""
    return Tensor(get_device(device).xp.ones(_one_or_many(shape), dtype or _default_dtype), requires_grad)


def arange(*bounds: float, dtype: Any = None, device: str | Device = "cpu") -> Tensor:
    """``arange(stop)``, ``arange(start, stop)`` or ``arange(start, stop, step)``, as NumPy's."""
    array = np.arange(*bounds)
    return Tensor(array.astype(dtype or (_default_dtype if array.dtype.kind == "f" else array.dtype)), device=device)


__all__ = [
    "Spec",
    "Tensor",
    "arange",
    "get_default_dtype",
    "grad",
    "ones",
    "plain_index",
    "set_default_dtype",
    "tensor",
    "zeros",
]
