"""Recording a computation: every op forward, every rule backward, with the numbers as they were.

A `Recorder` observes the engine (`minilm.graph.observe`) and fills a `Record`. It copies the numbers: a later optimizer step does
not change the past. Names come from the reader's code (`frames`); when the block has ended, every value gets its label (`labels`).
"""

from __future__ import annotations

import weakref
from types import FrameType
from typing import Any

import numpy as np

from minilm.backend import as_array, to_host
from minilm.ops.op import Op, Spec
from minilm.tensor import Tensor
from minilm.trace.frames import equal, holder, reader_frame, rebound, source_line, variable
from minilm.trace.labels import write_labels
from minilm.trace.model import Call, Contribution, Record, Saved, Scope, Value
from minilm.types import Array

COPIED = 1 << 16  # results larger than this are kept by reference: ops never write into them


class Recorder:
    """The observer of one block, whose record it fills."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._within: list[tuple[Scope, Any]] = [(record.scopes[0], None)]
        self._nodes: weakref.WeakKeyDictionary[Any, Call] = weakref.WeakKeyDictionary()
        self._pending: dict[int, Array] = {}  # by value: the sum of what came since its rule last ran
        self._parameter_names: dict[int, tuple[str, Tensor]] = {}
        self._owners: dict[int, int] = {}  # by id of a parameter: which of the outermost Modules it belongs to
        self._roots: list[Any] = []

    def enter(self, module: Any) -> None:
        """A Module was called."""
        above, parent = self._within[-1]
        if parent is None:
            name = type(module).__name__
            self._roots.append(module)
            for path, p in [*module.named_parameters(), *module.named_buffers()]:
                self._parameter_names.setdefault(id(p), (path, p))  # p is kept: a buffer may be replaced by another
                self._owners.setdefault(id(p), id(module))
        else:
            name = next((path for path, child in parent.named_modules() if child is module), type(module).__name__)
        scope = Scope(len(self.record.scopes), above, name, type(module).__name__, module.extra_repr())
        self.record.scopes.append(scope)
        self._within.append((scope, module))

    def leave(self, module: Any) -> None:
        """The Module has returned, or raised."""
        self._within.pop()

    def forward(self, op: Op, inputs: tuple[Any, ...], params: dict[str, Any], outputs: list[Tensor]) -> None:
        """An op has run."""
        frame = reader_frame()
        place = self._scope_of(frame)
        operands = tuple(self._operand(x, frame, place, op.input_name(i)) for i, x in enumerate(inputs))
        call = Call(len(self.record.calls), op, params, operands, (), self._within[-1][0], source_line(frame))
        call.indices = self._indices(params, frame, place)
        results = []
        for tensor in outputs:
            value = self._new_value("result", _kept(tensor.data), tensor)
            value.call = call
            results.append(value)
        call.outputs = tuple(results)
        self.record.calls.append(call)
        if outputs and outputs[0].grad_fn is not None:
            self._nodes[outputs[0].grad_fn] = call
        self.record.add_step("forward", call)

    def backward(self, node: Any, g: Any, grads: list[Any]) -> None:
        """A backward rule has run."""
        call = self._nodes.get(node)
        if call is None:  # it was computed before the trace began
            return
        arrived = tuple(_kept(x) for x in (g if call.op.multi else (g,)))
        for value, x in zip(call.outputs, arrived, strict=True):
            if x is not None:
                self._seed(value, x)
        if call.saved is None:
            inputs = tuple(v.array if isinstance(v, Value) and v.kind != "result" and not isinstance(x, Spec) else x
                           for v, x in zip(call.inputs, node.inputs, strict=True))  # fmt: skip
            call.saved = Saved(inputs, node.outputs, node.aux)
        contributions = [self._contribute(call, i, _kept(d), arrived) for i, d in enumerate(grads) if d is not None]
        self.record.add_step("backward", call, arrived=arrived, contributions=contributions)

    def _seed(self, value: Value, arrived: Array) -> None:
        """Notes what arrived at a value beyond its contributions: the start of a backward pass, or a hook's change."""
        pending = self._pending.pop(value.index, None)
        given = arrived if pending is None else as_array(arrived - pending)
        if pending is None or _largest(given) > 1e-5 * _largest(arrived):
            self.record.seeds[value.index] = _plus(self.record.seeds.get(value.index), given)
            self.record.gradients[value.index] = _plus(self.record.gradients.get(value.index), given)
            self.record.add_step("seed", value=value, arrived=(given,))

    def _contribute(self, call: Call, i: int, grad: Array, arrived: tuple[Any, ...]) -> Contribution:
        value = call.inputs[i]
        self._pending[value.index] = _plus(self._pending.get(value.index), grad)
        self.record.gradients[value.index] = total = _plus(self.record.gradients.get(value.index), grad)
        return Contribution(call, i, value, grad, total, arrived)

    def _operand(self, x: Any, frame: FrameType | None, place: Scope, role: str) -> Any:
        """The Value of an op's input; Python numbers and None as they are."""
        if x is None or isinstance(x, bool | int | float | np.generic):
            return x.item() if isinstance(x, np.generic) else x
        if not isinstance(x, Tensor):
            constant = self._new_value("input", x.copy() if hasattr(x, "copy") else x)
            constant.name, constant.place, constant.role = variable(frame, x), place, role
            constant.unknown = constant.name is None and constant.array.dtype.kind == "f"
            return constant
        ref, value = self.record.tensors.get(id(x), (None, None))
        if ref is None or ref() is not x or value is None:
            value = self._new_value("parameter" if x.requires_grad and x.is_leaf else "input", x.data.copy(), x)
        value.axes = value.axes or x.axis_names
        if value.name is None:
            held = self._parameter_names.get(id(x))
            value.name = x.name or (held[0] if held else None)
            if held and not x.requires_grad:
                value.role = "buffer"
        if value.name is None and (value.call is None or place in value.call.scope.ancestors()):
            value.name = variable(frame, x)  # what a function calls its argument is not the name of what it was given
            value.reused = place is not self.record.scopes[0] and value.name is not None and rebound(frame, value.name)
        if value.name is not None and value.place is None:
            value.place = place if value.call is None or place in value.call.scope.ancestors() else value.call.scope
        value.role = value.role or role
        return value

    def _indices(self, params: dict[str, Any], frame: FrameType | None, place: Scope) -> dict[tuple[str, int], Value]:
        """The arrays among an op's parameters, under the names of the variables that hold the same numbers."""
        found = {}
        for name, given in params.items():
            for k, x in enumerate(given if isinstance(given, tuple | list) else (given,)):
                if isinstance(getattr(x, "dtype", None), np.dtype) and x.shape:
                    value = self._known(x)
                    if value is None:
                        value = self._new_value("input", x.copy())
                        value.name, value.place, value.role = holder(frame, x), place, "ids"
                    found[name, k] = value
        return found

    def _known(self, array: Array) -> Value | None:
        """The input of integers that has these numbers: the ids are one box, however often they choose."""
        same = (v for v in self.record.values if v.kind == "input" and v.role and v.array.dtype.kind in "iu")
        return next((v for v in same if equal(v.array, array)), None)

    def _scope_of(self, frame: FrameType | None) -> Scope:
        """The scope whose Module's code a frame is, or is called by."""
        while frame is not None and len(self._within) > 1:
            me = frame.f_locals.get("self")
            for scope, module in reversed(self._within):
                if me is module and me is not None:
                    return scope
            frame = frame.f_back
        return self.record.scopes[0]

    def _new_value(self, kind: str, array: Array, tensor: Tensor | None = None) -> Value:
        value = Value(len(self.record.values), kind, array)
        self.record.values.append(value)
        if tensor is not None:
            value.name = tensor.name
            self.record.tensors[id(tensor)] = (weakref.ref(tensor), value)
        return value

    # -- names --------------------------------------------------------------------------------------------------------

    def finish(self, frame: FrameType) -> None:
        """The block of that frame has ended: what is still held by a variable is called by its name, and all get their labels."""
        record = self.record
        for ref, value in record.tensors.values():
            tensor = ref()
            if tensor is not None:
                value.axes = value.axes or tensor.axis_names
            if tensor is not None and value.name is None:
                value.name, value.place = tensor.name or variable(frame, tensor), self._scope_of(frame)
        outermost = [scope for scope in record.scopes if scope.parent is record.scopes[0]]
        names: dict[int, str] = {}
        for scope, module in zip(outermost, self._roots, strict=True):
            names[id(module)] = scope.name = variable(frame, module) or scope.name
        owners = {
            value.index: names[self._owners[key]] for key, (_, value) in record.tensors.items() if key in self._owners
        }
        write_labels(record, owners, len(names) > 1)


def _largest(array: Array) -> float:
    return float(np.abs(to_host(array)).max(initial=0.0))


def _plus(total: Array | None, part: Array) -> Array:
    return part if total is None else as_array(total + part)  # the sum of two 0-d arrays is a NumPy scalar


def _kept(array: Any) -> Any:
    """The array, or a copy where it is small enough that copying costs nothing; a Tensor gives its array."""
    array = array.data if isinstance(array, Tensor) else array
    return array if array is None or array.size > COPIED else array.copy()
