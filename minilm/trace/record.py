r"""Recording a computation: every op forward, every rule backward, with the numbers as they were.

A `Trace` observes the engine (`minilm.graph.observe`). Each op that runs becomes a `Call` between `Value` s, each Module
that is called a `Scope` around its calls, and the walk through them a list of `Step` s:

- *forward*: the call computed its results;
- *seed*: a gradient was put in from outside, ∂L/∂L = 1;
- *backward*: the gradient :math:`\bar y` arrived at a call's result; for each input, local derivative times
  :math:`\bar y` is its `Contribution`, and what it has accumulated so far is the sum of them.

A trace copies the numbers it shows: a later optimizer step does not change the past.
"""

from __future__ import annotations

import linecache
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from minilm import graph
from minilm.backend import as_array, to_host
from minilm.files import atomic_write
from minilm.ops.op import Op, Spec
from minilm.tensor import Tensor

Array = Any
COPIED = 1 << 16  # results larger than this are kept by reference: ops never write into them
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(eq=False)
class Scope:
    """One call of a Module, or the whole trace (`parent` None).

    Attributes:
        name: its path below the Module that called it ("blocks.0"), or the variable that holds it.
        kind: its class.
        about: its `extra_repr`, "in=2, out=2".
    """

    index: int
    parent: Scope | None
    name: str
    kind: str = ""
    about: str = ""

    @property
    def path(self) -> str:
        """The names from the outermost Module down to this one."""
        above = self.parent.path if self.parent else ""
        return f"{above}.{self.name}" if above else self.name

    def ancestors(self) -> list[Scope]:
        """The whole trace first, then down to this scope itself."""
        return [*(self.parent.ancestors() if self.parent else []), self]


@dataclass(eq=False)
class Value:
    """An array that took part, as it was then.

    Attributes:
        kind: "parameter" (a leaf that requires a gradient), "input" (any other leaf), or "result" of a call.
        name: given by `Tensor.named`, else the variable's or the parameter's name; None where there is none.
        label: what it is called on the page: the name, else its op's; unique within a scope.
    """

    index: int
    kind: str
    array: Array
    name: str | None = None
    call: Call | None = None
    label: str = ""

    @property
    def numbers(self) -> Any:
        """The array on the host."""
        return to_host(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)


@dataclass(eq=False)
class Call:
    """One op applied.

    Attributes:
        inputs: a `Value`, a Python number, or None for each input of the op.
        line: the line of the reader's own code that led to it, stripped; "" where it cannot be found.
    """

    index: int
    op: Op
    params: dict[str, Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Value, ...]
    scope: Scope
    line: str = ""
    saved: Any = None

    @property
    def elementwise(self) -> bool:
        """Whether each number of the result depends only on the numbers at its own place."""
        return type(self.op).__module__ in ("minilm.ops.arithmetic", "minilm.ops.activation")

    def values(self) -> list[Value]:
        """The inputs that are arrays."""
        return [x for x in self.inputs if isinstance(x, Value)]

    def vjp(self, i: int, gs: tuple[Any, ...]) -> Array:
        r"""The backward rule again: :math:`(\partial y / \partial x_i)^\top \bar y` for another :math:`\bar y`, not yet
        summed over axes that were broadcast.
        """
        op, saved = self.op, self.saved
        needs = tuple(k == i for k in range(len(self.inputs)))
        params = {**self.params, "aux": saved.aux} if op.has_aux else self.params
        y = saved.outputs if op.multi else saved.outputs[0]
        return op.vjp(needs, gs if op.multi else gs[0], y, saved.inputs, params)[i]


@dataclass(eq=False)
class Saved:
    """What a call's node kept for its rules, from before `Node.free`; leaves are the trace's own copies."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    aux: Any


@dataclass(eq=False)
class Contribution:
    """What one backward step adds to the gradient of one input.

    Attributes:
        position: which input of the call.
        grad: local derivative times the gradient that arrived, with the input's shape.
        accumulated: the sum of this and all earlier contributions.
    """

    call: Call
    position: int
    value: Value
    grad: Array
    accumulated: Array

    def local(self) -> tuple[str, Array | None]:
        """The local derivative: ("elementwise", ∂y/∂x at each place), ("jacobian", ∂y_i/∂x_j with the shape of y, then of
        x) where that is at most 64 numbers, else ("rule", None): the record's `derivative` says it.
        """
        from minilm.trace.jacobian import local_derivative

        return local_derivative(self.call, self.position)


@dataclass(eq=False)
class Step:
    """One step of the walk.

    Attributes:
        kind: "forward", "seed" or "backward".
        call: the op; None for a seed.
        value: for a seed, where the gradient was put in.
        arrived: the gradient that arrived at each of the call's outputs (None: none); for a seed, the one put in.
        contributions: in a backward step, what goes to each input that wants a gradient.
    """

    index: int
    kind: str
    call: Call | None = None
    value: Value | None = None
    arrived: tuple[Any, ...] = ()
    contributions: list[Contribution] = field(default_factory=list)

    @property
    def origin(self) -> Call:
        """The call that it is a step of; of a seed, the call that computed its value."""
        call = self.call or (self.value.call if self.value else None)
        assert call is not None
        return call

    @property
    def scope(self) -> Scope:
        """Where it happens: in which call of a Module."""
        return self.origin.scope

    def __str__(self) -> str:
        from minilm.trace.text import describe

        return describe(self)

    __repr__ = __str__


class Trace:
    """The record of what ran inside ``with ml.trace() as steps:``, to be walked to and fro.

    ``steps[i]`` is a `Step`, ``print(steps)`` a list of all, ``steps.walk()`` a walk in the terminal, and a notebook shows
    ``steps`` as a drawing with buttons. ``steps.explain(w)`` splits a gradient into the paths that made it.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.calls: list[Call] = []
        self.values: list[Value] = []
        self.scopes: list[Scope] = [Scope(0, None, "")]
        self._within: list[tuple[Scope, Any]] = [(self.scopes[0], None)]
        self._tensors: dict[int, tuple[weakref.ref[Tensor], Value]] = {}
        self._nodes: weakref.WeakKeyDictionary[Any, Call] = weakref.WeakKeyDictionary()
        self._accumulated: dict[int, Array] = {}  # by value: the sum of all that came, over the whole trace
        self._pending: dict[int, Array] = {}  # by value: the sum of what came since its rule last ran
        self.seeds: dict[int, Array] = {}  # by value: what was put in from outside
        self._parameter_names: dict[int, str] = {}
        self._roots: list[Any] = []
        self._observing: Any = None

    # -- recording ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Trace:
        if self._observing is not None or self.steps:
            raise RuntimeError("this trace has recorded already; begin another one with ml.trace().")
        self._observing = graph.observe(self)
        self._observing.__enter__()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._observing.__exit__(None, None, None)
        self._name_by_variables(sys._getframe(1))
        self._label()
        self._roots, self._parameter_names = [], {}

    def enter(self, module: Any) -> None:
        """A Module was called."""
        above, parent = self._within[-1]
        if parent is None:
            name = type(module).__name__
            self._roots.append(module)
            self._parameter_names.update((id(p), path) for path, p in module.named_parameters())
        else:
            name = next((path for path, child in parent.named_modules() if child is module), type(module).__name__)
        scope = Scope(len(self.scopes), above, name, type(module).__name__, module.extra_repr())
        self.scopes.append(scope)
        self._within.append((scope, module))

    def leave(self, module: Any) -> None:
        """The Module has returned, or raised."""
        self._within.pop()

    def forward(self, op: Op, inputs: tuple[Any, ...], params: dict[str, Any], outputs: list[Tensor]) -> None:
        """An op has run."""
        frame = _reader_frame()
        operands = tuple(self._operand(x, frame) for x in inputs)
        call = Call(len(self.calls), op, params, operands, (), self._within[-1][0], _source_line(frame))
        results = []
        for tensor in outputs:
            value = self._new_value("result", _kept(tensor.data), tensor)
            value.call = call
            results.append(value)
        call.outputs = tuple(results)
        self.calls.append(call)
        if outputs and outputs[0].grad_fn is not None:
            self._nodes[outputs[0].grad_fn] = call
        self.steps.append(Step(len(self.steps), "forward", call))

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
        step = Step(len(self.steps), "backward", call, arrived=arrived)
        for i, d in enumerate(grads):
            if d is not None:
                step.contributions.append(self._contribute(call, i, _kept(d)))
        self.steps.append(step)

    def _seed(self, value: Value, arrived: Array) -> None:
        """Notes what arrived at a value beyond its contributions: the start of a backward pass, or a hook's change."""
        pending = self._pending.pop(value.index, None)
        given = arrived if pending is None else as_array(arrived - pending)
        if pending is None or _largest(given) > 1e-5 * _largest(arrived):
            self.seeds[value.index] = _plus(self.seeds.get(value.index), given)
            self._accumulated[value.index] = _plus(self._accumulated.get(value.index), given)
            self.steps.append(Step(len(self.steps), "seed", value=value, arrived=(given,)))

    def _contribute(self, call: Call, i: int, grad: Array) -> Contribution:
        value = call.inputs[i]
        self._pending[value.index] = _plus(self._pending.get(value.index), grad)
        self._accumulated[value.index] = total = _plus(self._accumulated.get(value.index), grad)
        return Contribution(call, i, value, grad, total)

    def _operand(self, x: Any, frame: FrameType | None) -> Any:
        """The Value of an op's input; Python numbers and None as they are."""
        if x is None or isinstance(x, bool | int | float):
            return x
        if not isinstance(x, Tensor):
            return self._new_value("input", x.copy() if hasattr(x, "copy") else x)
        ref, value = self._tensors.get(id(x), (None, None))
        if ref is None or ref() is not x or value is None:
            value = self._new_value("parameter" if x.requires_grad and x.is_leaf else "input", x.data.copy(), x)
        if value.name is None:
            value.name = x.name or self._parameter_names.get(id(x)) or _variable(frame, x)
        return value

    def _new_value(self, kind: str, array: Array, tensor: Tensor | None = None) -> Value:
        value = Value(len(self.values), kind, array)
        self.values.append(value)
        if tensor is not None:
            value.name = tensor.name
            self._tensors[id(tensor)] = (weakref.ref(tensor), value)
        return value

    # -- names --------------------------------------------------------------------------------------------------------

    def _name_by_variables(self, frame: FrameType) -> None:
        """Tensors and outermost Modules take the names of the variables that hold them at the end of the block."""
        for ref, value in self._tensors.values():
            tensor = ref()
            if tensor is not None and value.name is None:
                value.name = tensor.name or _variable(frame, tensor)
        for scope, module in zip([s for s in self.scopes if s.parent is self.scopes[0]], self._roots, strict=True):
            scope.name = _variable(frame, module) or scope.name

    def _label(self) -> None:
        """Gives every value a label; in each scope, the second of a name gets a subscript 2, and so on."""
        from minilm.trace.text import short_expression

        seen: dict[tuple[int, str], int] = {}
        for value in self.values:
            base = value.name or (short_expression(value.call) if value.call else "constant")
            scope = value.call.scope.index if value.call else -1
            seen[scope, base] = count = seen.get((scope, base), 0) + 1
            value.label = base if count == 1 else base + str(count).translate(SUBSCRIPTS)

    # -- reading ------------------------------------------------------------------------------------------------------

    def value_of(self, tensor: Tensor) -> Value:
        """The Value that stands for a Tensor.

        Raises:
            KeyError: the Tensor took no part in the trace.
        """
        ref, value = self._tensors.get(id(tensor), (None, None))
        if ref is None or ref() is not tensor or value is None:
            name = f"{tensor.name!r} " if getattr(tensor, "name", None) else ""
            raise KeyError(f"trace: the tensor {name}of shape {tuple(tensor.shape)} took no part in this trace.")
        return value

    def gradient_of(self, value: Value) -> Array | None:
        """What the value has accumulated in the whole trace; None where no gradient arrived."""
        return self._accumulated.get(value.index)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Step:
        return self.steps[index]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __str__(self) -> str:
        from minilm.trace.text import listing

        return listing(self)

    def __repr__(self) -> str:
        forward = sum(step.kind == "forward" for step in self.steps)
        return (
            f"<trace: {forward} steps forward, {len(self.steps) - forward} back; print() it, or show it in a notebook>"
        )

    def _repr_html_(self) -> str:
        from minilm.trace.html import page

        return page(self)

    def save(self, path: str | Path) -> None:
        """Writes the step-through as a web page of its own, which needs neither a kernel nor a network."""
        with atomic_write(Path(path)) as file:
            file.write(f'<!doctype html><meta charset="utf-8"><title>minilm</title>\n{self._repr_html_()}\n'.encode())

    def table(self, depth: int | None = None) -> str:
        """All steps as a text table; Modules below `depth` (0: all of them) are one row each."""
        from minilm.trace.text import table

        return table(self, depth)

    def walk(self) -> None:
        """Walks through the steps in the terminal: Enter goes on, b back, a number there, q leaves."""
        from minilm.trace.text import walk

        walk(self)

    def explain(self, tensor: Tensor, element: tuple[int, ...] | int | None = None, paths: int = 32) -> Any:
        """The gradient of a Tensor as a sum over the paths by which it reaches the loss; see `minilm.trace.explain`."""
        from minilm.trace.explain import explain

        return explain(self, self.value_of(tensor), element, paths)


def trace() -> Trace:
    """Records what runs inside a ``with`` block, forward and backward, for stepping through::

        with ml.trace() as steps:
            loss = ((x @ w).sigmoid() - y).pow(2).mean()
            loss.backward()
        print(steps)

    A notebook shows ``steps`` as a drawing with buttons.
    """
    return Trace()


def _largest(array: Array) -> float:
    return float(np.abs(to_host(array)).max(initial=0.0))


def _plus(total: Array | None, part: Array) -> Array:
    return part if total is None else as_array(total + part)  # the sum of two 0-d arrays is a NumPy scalar


def _kept(array: Any) -> Any:
    """The array, or a copy where it is small enough that copying costs nothing; a Tensor gives its array."""
    array = array.data if isinstance(array, Tensor) else array
    return array if array is None or array.size > COPIED else array.copy()


def _reader_frame() -> FrameType | None:
    """The nearest frame that is not the engine's own: the reader's code, or a model that is there to be read."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] != "minilm" or name.startswith("minilm.models"):
            return frame
        frame = frame.f_back
    return None


def _source_line(frame: FrameType | None) -> str:
    return "" if frame is None else linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).strip()


def _variable(frame: FrameType | None, thing: Any) -> str | None:
    """The name under which a frame holds a thing; names that begin with an underscore are nobody's choice."""
    if frame is None:
        return None
    return next((k for k, v in list(frame.f_locals.items()) if v is thing and k[0] != "_" and k != "self"), None)
