"""Tensor: an array that knows how it was computed.

Here stand what a Tensor holds, how an op is applied to Tensors and recorded, and where a walk back begins and ends. What ``a + b`` and
``a[i]`` mean stands in `minilm.operators`, the methods with names in `minilm.methods`, what a user may give as data in
`minilm.convert`, functions that make Tensors in `minilm.creation`; the recorded graph and the walk in `minilm.graph`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm import graph
from minilm.backend import (
    DEVICE_OF_TYPE,
    Device,
    DeviceError,
    as_array,
    cpu,
    device_of,
    is_nested,
    read_only,
    to_device,
    to_host,
    writable,
)
from minilm.convert import array_from
from minilm.graph import Node, Walk, held_once, keep_spec, modes
from minilm.methods import Methods
from minilm.operators import Operators
from minilm.ops.arguments import shape_of
from minilm.ops.dtypes import FLOAT32, FLOAT64, settle
from minilm.ops.explain import USUAL, describe
from minilm.ops.op import Op
from minilm.types import Array, HostArray, Shape

_new = object.__new__


class Tensor(Operators, Methods):
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

    __slots__ = (
        "__weakref__",
        "_axes",
        "_data",
        "_grad",
        "_index",
        "_node",
        "_requires_grad",
        "_version",
        "hooks",
        "name",
    )
    __array_ufunc__ = None  # NumPy and CuPy arrays on the left of an operator ask this class
    _data: Array
    _node: Node | None
    _index: int
    _version: list[int]
    _grad: Tensor | None
    hooks: dict[int, list[Callable[[Any], Any]]] | None  # of a leaf; those of a result are its node's
    retained = None  # as a node has it: a leaf keeps its gradient anyway
    name: str | None
    _axes: tuple[tuple[str, ...], ...]

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        *,
        dtype: Any = None,
        device: str | Device | None = None,
        name: str | None = None,
    ) -> None:
        array = array_from(data, dtype)
        if device is not None:
            array = to_device(array, device)
        self._set(array, None, 0)
        self.name = name
        if requires_grad:
            self.requires_grad_()

    def _set(self, array: Array, node: Node | None, index: int) -> None:
        self._data, self._node, self._index = array, node, index
        self._requires_grad = node is not None
        self._version, self.hooks = [0], None
        self._grad = self.name = None

    @staticmethod
    def _wrap(array: Array, node: Node | None = None, index: int = 0) -> Tensor:
        """A Tensor around an array of a device, without any check: what ops return."""
        self: Tensor = _new(Tensor)
        self._data, self._node, self._index = array, node, index  # as _set, whose call would take a while in a small op
        self._requires_grad = node is not None
        self._version, self.hooks = [0], None
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
    def shape(self) -> Shape:
        return self._data.shape

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

    def named(self, name: str, rows: Sequence[str] | None = None, columns: Sequence[str] | None = None) -> Tensor:
        """Gives the Tensor a name for errors and the step-through; returns it.

        ``X.named("X", rows=["the", "cat", "sat"])``: the step-through writes the words before the rows of X, and of what is computed from
        it as far as its rows are theirs.

        Args:
            rows: what stands along the last axis but one; of a vector, along its only axis.
            columns: what stands along the last axis.

        Raises:
            TypeError: rows or columns are not strings.
            ValueError: they are not as many as the axis is long, or there is no such axis.
        """
        self.name = name
        given: list[tuple[str, ...]] = [()] * self.ndim
        for what, names, axis in (("rows", rows, 0 if self.ndim == 1 else -2), ("columns", columns, -1)):
            if names is None:
                continue
            if isinstance(names, str) or not all(isinstance(each, str) for each in names):
                raise TypeError(f"named: {what} must be a list of strings, got {names!r}.")
            if self.ndim < -axis or self.ndim == 0 or self.shape[axis] != len(names):
                raise ValueError(f"named: {len(names)} names of {what} do not fit a tensor of shape {self.shape}.")
            given[axis] = tuple(names)
        if rows is not None or columns is not None:
            self._axes = tuple(given)
        return self

    @property
    def axis_names(self) -> tuple[tuple[str, ...], ...]:
        """What `named` has given to each axis; () where it has given nothing."""
        return getattr(self, "_axes", ())  # the slot stays empty in all Tensors but those few

    def bump_version(self) -> None:
        """Says that the numbers were changed in place: a graph that saved them will refuse to use them."""
        self._version[0] += 1

    # -- out of the graph ---------------------------------------------------------------------------------------------

    def detach(self) -> Tensor:
        """The same array (and version counter) without its history."""
        out = Tensor._wrap(self._data)
        out._version = self._version
        return out

    def numpy(self) -> HostArray:
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

        After an error on the way, such as a hook's, each leaf has all of its gradient or none; see `minilm.graph.Walk.run`.
        """
        Walk(Tensor._wrap, symbolic=create_graph, retain=retain_graph).run([root_of(self, gradient)])

    def _deposit(self, arrived: dict[int, Any], symbolic: bool) -> None:
        """Adds the gradient that has arrived at this leaf to ``grad``, in memory that is this Tensor's own."""
        own = symbolic or self._grad is not None or held_once(arrived, 0)
        g = arrived[0] if own else arrived[0].copy()
        self._accumulate(g if symbolic else Tensor._wrap(g))

    def _accumulate(self, g: Tensor) -> None:
        if self._grad is None:
            self._grad = g
        elif g._requires_grad or self._grad._requires_grad:
            self._grad = self._grad + g
        else:
            self._grad.data += g.data

    def retain_grad(self) -> Tensor:
        """Asks backward() to fill ``grad`` of this Tensor too, though it is the result of an op; returns it."""
        if self._node is not None:
            self._node.retained = {**(self._node.retained or {}), self._index: weakref.ref(self)}
        return self

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Calls ``hook(gradient)`` when this Tensor's gradient is complete; what it returns (unless None) replaces it.

        That may be a Tensor, an array or a number of the gradient's shape: it is converted to the gradient's dtype and device.
        Anything else, and any error of the hook itself, ends the walk (see `minilm.graph.Walk.run` for what is left then).

        Returns:
            A function that removes the hook.
        """
        if not self._requires_grad:
            raise RuntimeError("a gradient hook on a tensor that does not require a gradient would never be called.")
        item, index = self._place()
        item.hooks = item.hooks or {}
        hooks = item.hooks.setdefault(index, [])
        hooks.append(hook)
        return lambda: hooks.remove(hook) if hook in hooks else None

    # -- applying an op -----------------------------------------------------------------------------------------------

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
                if x._requires_grad:
                    record = True
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
                array = _given(op, x, inputs)
            arrays.append(array)
            if type(array) is not kind:
                here = DEVICE_OF_TYPE.get(type(array)) or device_of(array)
                if kind is not None and here is not device:
                    raise DeviceError(
                        f"{op.name}: inputs are on {device.name} and on {here.name}; move one with .to(...)."
                    )
                device, kind = here, type(array)
            if array.dtype is not dtype:
                mixed, dtype = dtype is not None or mixed, array.dtype
        if mixed or (dtype is not FLOAT32 and dtype is not FLOAT64):
            plan = op.plan(arrays)
            if plan is not None:
                known = [x if isinstance(x, Tensor) else array for x, array in zip(inputs, arrays, strict=True)]
                return plan.run(lambda *xs: Tensor.__minilm_op__(op, xs, params), known)
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
            results = tuple([_wrap(settle(as_array(y), arrays, params)) for y in out])
        else:
            y = out if type(out) is kind else as_array(out)
            if mixed or y.dtype is not dtype:
                y = settle(y, arrays, params)
            results = (_wrap(y),)
        if op.view:
            of_tensors = [x._version for x in inputs if isinstance(x, Tensor)]
            for result in results:
                result._version = of_tensors[0]
        if record and now["grad"] and "f" in [x._data.dtype.kind for x in results]:
            _record(op, inputs, arrays, params, results, aux)
        for observer in observers:
            if hasattr(observer, "forward"):
                observer.forward(op, inputs, params, results)
        return results if op.multi else results[0]

    def _beside(self, op: Op, other: Any) -> Any:
        """``op(self, other)`` of a simple op: the short way through `__minilm_op__`, which small formulas take.

        It is for two Tensors of one float type on one device, or a Tensor and a number, while nobody observes.
        """
        a, now = self._data, modes.__dict__
        b = other._data if isinstance(other, Tensor) else other
        dtype, kind = a.dtype, type(a)
        device = DEVICE_OF_TYPE.get(kind)
        alike = type(b) is float or (type(b) is kind and b.dtype is dtype)
        if not alike or (dtype is not FLOAT32 and dtype is not FLOAT64) or device is None or now["observers"]:
            return Tensor.__minilm_op__(op, (self, other), op.params)
        try:
            y = now["quietly"](op.forward, device, a, b)
        except Exception:  # the long way knows what is to be done, or said
            y = None
        if y is None or y.dtype is not dtype:
            return Tensor.__minilm_op__(op, (self, other), op.params)
        result = _wrap(y if type(y) is kind else as_array(y))
        if now["grad"] and (self._requires_grad or (b is not other and other._requires_grad)):
            _record(op, (self, other), (a, b), op.params, (result,), None)
        return result

    # -- copies -------------------------------------------------------------------------------------------------------

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


_wrap = Tensor._wrap


def _given(op: Op, x: Any, inputs: Sequence[Any]) -> Array:
    """The array of an input that is neither a Tensor nor a Python number."""
    try:
        return array_from(x)
    except (TypeError, ValueError) as error:
        name = next(op.input_name(i) for i, given in enumerate(inputs) if given is x)
        raise type(error)(f"{op.name}: input '{name}': {error}") from None


def _record(
    op: Op, inputs: Sequence[Any], arrays: Sequence[Any], params: dict[str, Any], results: Sequence[Tensor], aux: Any
) -> None:
    """Lets the results of an op remember it, where a gradient can flow.

    It runs for every op of a training step. Hence the plain loops: up to Python 3.11 a comprehension over one or two inputs is
    a function call, which takes longer than its rounds.
    """
    parents: list[Any] = []
    needs: tuple[bool, ...] = ()
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x._requires_grad and (op.all_differentiable or op.rules[i] is not None):
            parents.append((x, 0) if x._node is None else (x._node, x._index))
            needs += (True,)
        else:
            parents.append(None)
            needs += (False,)
    if True not in needs:
        return
    keep_y, keep = op.saves[needs]
    saved: list[Any] = []
    versions: list[tuple[list[int], int, int]] = []
    for i, array in enumerate(arrays):
        if not keep[i]:
            saved.append(keep_spec(array))
            continue
        if isinstance(inputs[i], Tensor):
            cell = inputs[i]._version
            versions.append((cell, cell[0], i))
        saved.append(array)
    node = Node(op, params, parents, needs, saved, versions, aux)
    for i, y in enumerate(results):
        y._node, y._index, y._requires_grad = node, i, True
        node.outputs.append(y._data if keep_y else None)
        if keep_y and not op.view:
            versions.append((y._version, 0, len(saved) + i))


def root_of(tensor: Tensor, gradient: Any) -> tuple[Any, int, Tensor]:
    """Where a backward walk begins, and with which gradient."""
    if not tensor._requires_grad:
        raise RuntimeError(
            "backward() needs a result that was recorded: no input requires a gradient, or it was computed under no_grad()."
        )
    y = tensor._data
    if gradient is None:
        if y.size != 1:
            raise ValueError(
                f"backward() of a tensor of shape {tensor.shape} needs gradient=...: a gradient is that of one number. "
                "Reduce it with .sum() or .mean(), or say how the final loss depends on it."
            )
        gradient = Tensor._wrap(tensor.device.xp.ones(y.shape, y.dtype))
    elif not isinstance(gradient, Tensor):
        gradient = Tensor(gradient, dtype=y.dtype)
    g = gradient._data
    if g.shape != y.shape:
        raise ValueError(f"gradient has shape {gradient.shape}, expected that of the tensor, {tensor.shape}.")
    if type(g) is not type(y) and gradient.device is not tensor.device:
        raise DeviceError(f"gradient is on {gradient.device.name}, the tensor on {tensor.device.name}.")
    return (*tensor._place(), gradient if g.dtype == y.dtype else gradient.to(y.dtype))


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
    if grad_outputs is None:
        grad_outputs = [None] * len(ys)
    gs = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(gs) != len(ys):
        raise ValueError(f"grad: {len(ys)} outputs but {len(gs)} grad_outputs.")
    for i, x in enumerate(xs):
        if not x._requires_grad:
            raise RuntimeError(f"grad: input {i} {x.shape} does not require a gradient.")
    roots = [root_of(y, g) for y, g in zip(ys, gs, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    found = Walk(Tensor._wrap, symbolic=create_graph, retain=retain).run(roots, [x._place() for x in xs])
    for i, (x, g) in enumerate(zip(xs, found, strict=True)):
        if g is None:
            if not allow_unused:
                raise RuntimeError(
                    f"grad: the outputs do not depend on input {i} {x.shape}; pass allow_unused=True for zeros."
                )
            found[i] = Tensor._wrap(x.device.xp.zeros_like(x._data))
    return tuple(found)


__all__ = ["Tensor", "grad"]
