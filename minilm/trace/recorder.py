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

import dis
import linecache
import sys
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import numpy as np

from minilm import graph
from minilm.backend import as_array, to_host
from minilm.files import atomic_write
from minilm.ops.op import Op, Spec
from minilm.tensor import Tensor
from minilm.types import Array

COPIED = 1 << 16  # results larger than this are kept by reference: ops never write into them
READABLE = ("minilm.models", "minilm.nn.recurrent", "minilm.nn.attention", "minilm.nn.transformer")
ELEMENTWISE = ("arithmetic", "activation", "elementary", "rectifier", "rounding", "logic")  # files of ops
ADDED = {"linear": -1, "conv2d": 1}  # ops that add a bias, and the axis of their result that it has
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(eq=False)
class Scope:
    """One call of a Module, or the whole trace (`parent` None).

    Attributes:
        name: its path below the Module that called it ("blocks.0"), or the variable that holds it.
        kind: its class.
        about: its `extra_repr`, "in=2, out=2".
        prefix: what the labels of its values begin with: its path, below the outermost Module where there is but one.
    """

    index: int
    parent: Scope | None
    name: str
    kind: str = ""
    about: str = ""
    prefix: str = ""

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
        place: the scope in which it has that name.
        reused: whether it is the name of a variable that a Module's code binds several times, as in ``x = self.fc(x)``.
        role: what its first op calls such an input: "target".
        label: what it is called, unlike all others of the trace: "blocks.0.attn.q". Without a name of its own: its expression,
            "W1 @ x", and inside a Module its op, "mlp.gelu"; what a Module computes last is called as the Module is.
        short: what it is called inside its Module: "q", "W1 @ x".
        tokens: of one of attention's matrices: what stands at the positions that ask (rows) and answer (columns).
    """

    index: int
    kind: str
    array: Array
    name: str | None = None
    call: Call | None = None
    place: Scope | None = None
    reused: bool = False
    role: str = ""
    label: str = ""
    short: str = ""
    tokens: tuple[str, ...] = ()

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
        indices: the arrays among its parameters, by parameter and place: what ``table[ids]`` chooses by.
        tokens: of the fused attention: those of its weights.
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
    indices: dict[tuple[str, int], Value] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()

    @property
    def elementwise(self) -> bool:
        """Whether each number of the result depends only on the numbers at its own place."""
        return type(self.op).__module__.removeprefix("minilm.ops.") in ELEMENTWISE

    def values(self) -> list[Value]:
        """The inputs that are arrays, and the arrays that it chooses by."""
        return [*(x for x in self.inputs if isinstance(x, Value)), *self.indices.values()]

    def vjp(self, i: int, gs: tuple[Any, ...], shape: tuple[int, ...] | None = None) -> Array:
        r"""The backward rule again: :math:`(\partial y / \partial x_i)^\top \bar y` for another :math:`\bar y`, not yet
        summed over axes that were broadcast. With `shape`: as if the input, of which the rule reads no number, had that shape.
        """
        op, saved = self.op, self.saved
        needs = tuple(k == i for k in range(len(self.inputs)))
        params = {**self.params, "aux": saved.aux} if op.has_aux else self.params
        y = saved.outputs if op.multi else saved.outputs[0]
        inputs = saved.inputs
        if shape is not None:
            inputs = (*inputs[:i], Spec(shape, self.inputs[i].array.dtype), *inputs[i + 1 :])
        return op.vjp(needs, gs if op.multi else gs[0], y, inputs, params)[i]


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
        grad: local derivative times the gradient that arrived, with the input's shape: where the input was broadcast, summed
            over the axes along which it was (`product`).
        accumulated: the sum of this and all earlier contributions.
    """

    call: Call
    position: int
    value: Value
    grad: Array
    accumulated: Array
    arrived: tuple[Any, ...] = ()

    def product(self) -> tuple[Array, tuple[int, ...]]:
        """Local derivative times the gradient that arrived, before the sum that undoes a broadcast, and the axes of that sum:
        `grad` and () where the input was not broadcast.
        """
        call, x = self.call, self.value
        if call.op.name in ADDED and call.op.input_name(self.position) == "bias":
            full, n = self.arrived[0], len(call.outputs[0].shape)
            return full, tuple(k for k in range(n) if k != ADDED[call.op.name] % n)
        whole = _whole(call, self.position)
        if call.saved is None or whole == x.shape:
            return self.grad, ()
        full = as_array(call.vjp(self.position, self.arrived, whole))
        return full, repeated_axes(tuple(full.shape), x.shape)

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

    Attributes:
        tokens: what stands at each position of the sequence; they are written on the axes of attention's matrices.
    """

    def __init__(self, tokens: Sequence[str] | None = None) -> None:
        if isinstance(tokens, str) or not all(isinstance(t, str) for t in tokens or ()):
            raise TypeError(f"trace: tokens must be a list of strings, one for each position, got {tokens!r}.")
        self.tokens = tuple(tokens or ())
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
        self._parameter_names: dict[int, tuple[str, Tensor]] = {}
        self._owners: dict[int, int] = {}  # by id of a parameter: which of the outermost Modules it belongs to
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
        if self.tokens:
            from minilm.trace.attention import write_tokens

            write_tokens(self)
        self._roots, self._parameter_names, self._owners = [], {}, {}

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
        scope = Scope(len(self.scopes), above, name, type(module).__name__, module.extra_repr())
        self.scopes.append(scope)
        self._within.append((scope, module))

    def leave(self, module: Any) -> None:
        """The Module has returned, or raised."""
        self._within.pop()

    def forward(self, op: Op, inputs: tuple[Any, ...], params: dict[str, Any], outputs: list[Tensor]) -> None:
        """An op has run."""
        frame = _reader_frame()
        place = self._scope_of(frame)
        operands = tuple(self._operand(x, frame, place, op.input_name(i)) for i, x in enumerate(inputs))
        call = Call(len(self.calls), op, params, operands, (), self._within[-1][0], _source_line(frame))
        call.indices = self._indices(params, frame, place)
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
                step.contributions.append(self._contribute(call, i, _kept(d), arrived))
        self.steps.append(step)

    def _seed(self, value: Value, arrived: Array) -> None:
        """Notes what arrived at a value beyond its contributions: the start of a backward pass, or a hook's change."""
        pending = self._pending.pop(value.index, None)
        given = arrived if pending is None else as_array(arrived - pending)
        if pending is None or _largest(given) > 1e-5 * _largest(arrived):
            self.seeds[value.index] = _plus(self.seeds.get(value.index), given)
            self._accumulated[value.index] = _plus(self._accumulated.get(value.index), given)
            self.steps.append(Step(len(self.steps), "seed", value=value, arrived=(given,)))

    def _contribute(self, call: Call, i: int, grad: Array, arrived: tuple[Any, ...]) -> Contribution:
        value = call.inputs[i]
        self._pending[value.index] = _plus(self._pending.get(value.index), grad)
        self._accumulated[value.index] = total = _plus(self._accumulated.get(value.index), grad)
        return Contribution(call, i, value, grad, total, arrived)

    def _operand(self, x: Any, frame: FrameType | None, place: Scope, role: str) -> Any:
        """The Value of an op's input; Python numbers and None as they are."""
        if x is None or isinstance(x, bool | int | float | np.generic):
            return x.item() if isinstance(x, np.generic) else x
        if not isinstance(x, Tensor):
            constant = self._new_value("input", x.copy() if hasattr(x, "copy") else x)
            constant.name, constant.place, constant.role = _variable(frame, x), place, role
            return constant
        ref, value = self._tensors.get(id(x), (None, None))
        if ref is None or ref() is not x or value is None:
            value = self._new_value("parameter" if x.requires_grad and x.is_leaf else "input", x.data.copy(), x)
        if value.name is None:
            held = self._parameter_names.get(id(x))
            value.name = x.name or (held[0] if held else None)
            if held and not x.requires_grad:
                value.role = "buffer"
        if value.name is None and (value.call is None or place in value.call.scope.ancestors()):
            value.name = _variable(frame, x)  # what a function calls its argument is not the name of what it was given
            value.reused = place is not self.scopes[0] and value.name is not None and _rebound(frame, value.name)
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
                        value.name, value.place, value.role = _holder(frame, x), place, "ids"
                    found[name, k] = value
        return found

    def _known(self, array: Array) -> Value | None:
        """The input of integers that has these numbers: the ids are one box, however often they choose."""
        same = (v for v in self.values if v.kind == "input" and v.role and v.array.dtype.kind in "iu")
        return next((v for v in same if _equal(v.array, array)), None)

    def _scope_of(self, frame: FrameType | None) -> Scope:
        """The scope whose Module's code a frame is, or is called by."""
        while frame is not None and len(self._within) > 1:
            me = frame.f_locals.get("self")
            for scope, module in reversed(self._within):
                if me is module and me is not None:
                    return scope
            frame = frame.f_back
        return self.scopes[0]

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
                value.name, value.place = tensor.name or _variable(frame, tensor), self._scope_of(frame)
        for scope, module in zip([s for s in self.scopes if s.parent is self.scopes[0]], self._roots, strict=True):
            scope.name = _variable(frame, module) or scope.name

    def _label(self) -> None:
        """Gives every value a label; the second of a name gets a subscript 2, and so on."""
        from minilm.trace.text import short_expression

        outer = [scope for scope in self.scopes if scope.parent is self.scopes[0]]
        names = {id(module): scope.name for scope, module in zip(outer, self._roots, strict=True)}
        owners = {
            value.index: names[self._owners[key]] for key, (_, value) in self._tensors.items() if key in self._owners
        }
        for scope in self.scopes:
            scope.prefix = _below(scope.path, len(names) > 1)
        last = {scope.index: call for call in self.calls for scope in call.scope.ancestors()}
        labels, shorts = _Names(), _Names()
        for value in self.values:
            call, name = value.call, value.name
            if call and value.reused and call.scope is not value.place and last[call.scope.index] is call:
                name = value.name = None
            scope = (call.scope if call and name is None else value.place) or self.scopes[0]
            within = f"{scope.prefix}." if scope.prefix else ""
            if call is None:
                if name is not None and value.index in owners:
                    name = _below(f"{owners[value.index]}.{name}", len(names) > 1)
                value.label = value.short = labels.new(name or (value.role if len(value.role) > 1 else "constant"))
            elif name is not None:
                value.label = labels.new(within + name)
                value.short = value.label.removeprefix(within)
            elif not within:
                value.label = value.short = labels.new(short_expression(call))
            else:
                whole = last[scope.index] is call and len(call.outputs) == 1
                value.label = labels.new(scope.prefix if whole else within + call.op.name)
                text, own = short_expression(call), scope.prefix.rpartition(".")[2]
                named = whole and text == call.op.name and not own[0].isdigit()
                value.short = shorts.new(own if named else text, scope.index)

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
        from minilm.trace.html import document

        with atomic_write(Path(path)) as file:
            file.write(document(self._repr_html_()).encode())

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


def trace(tokens: Sequence[str] | None = None) -> Trace:
    """Records what runs inside a ``with`` block, forward and backward, for stepping through::

        with ml.trace() as steps:
            loss = ((x @ w).sigmoid() - y).pow(2).mean()
            loss.backward()
        print(steps)

    A notebook shows ``steps`` as a drawing with buttons.

    Args:
        tokens: what stands at each position of the sequence, ``["the", "cat", "sat"]``. Matrices of attention, a row for each
            position that asks and a column for each that answers, then bear them, and are shown whole up to 144 numbers.

    Raises:
        TypeError: the tokens are not strings.
    """
    return Trace(tokens)


def _below(path: str, several: bool) -> str:
    """A path without the outermost Module, where there is but one; "net.0" stays, since 0 is no name."""
    below = path.partition(".")[2]
    return path if several or not below or below[0].isdigit() else below


class _Names:
    """Gives each name once; the second time with a subscript 2, and so on."""

    def __init__(self) -> None:
        self.count: Counter[Any] = Counter()
        self.given: set[Any] = set()

    def new(self, base: str, within: int = -1) -> str:
        while True:
            self.count[within, base] += 1
            count = self.count[within, base]
            name = base if count == 1 else base + str(count).translate(SUBSCRIPTS)
            if (within, name) not in self.given:  # somebody may have called another one x₂
                self.given.add((within, name))
                return name


def repeated_axes(full: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which an array of `shape` is repeated where it is broadcast to `full`."""
    lead = len(full) - len(shape)
    return tuple(k for k, n in enumerate(full) if k < lead or (shape[k - lead] == 1 and n != 1))


def _whole(call: Call, i: int) -> tuple[int, ...] | None:
    """The shape of input i where it is broadcast; None where only the rule knows."""
    x, y, name = call.inputs[i].shape, call.outputs[0].shape, call.op.name
    if name == "matmul" and min(len(v.shape) for v in call.values()) >= 2:
        return (*y[:-2], *x[-2:])
    same = x[:-2] == y[:-2] and i < 3 if name == "scaled_dot_product_attention" else x == y  # i = 3: the mask
    return tuple(x) if same or not call.op.broadcasts else None


def _largest(array: Array) -> float:
    return float(np.abs(to_host(array)).max(initial=0.0))


def _plus(total: Array | None, part: Array) -> Array:
    return part if total is None else as_array(total + part)  # the sum of two 0-d arrays is a NumPy scalar


def _kept(array: Any) -> Any:
    """The array, or a copy where it is small enough that copying costs nothing; a Tensor gives its array."""
    array = array.data if isinstance(array, Tensor) else array
    return array if array is None or array.size > COPIED else array.copy()


def _reader_frame() -> FrameType | None:
    """The nearest frame that is not the engine's own: the reader's code, or a model or layer that is there to be read."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] != "minilm" or name.startswith(READABLE):
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


def _holder(frame: FrameType | None, array: Any) -> str | None:
    """The name of the variable with an index array's numbers: an index is copied on its way to the op, a mask becomes numbers."""
    if frame is None:
        return None
    for name, held in list(frame.f_locals.items()):
        data = held.data if isinstance(held, Tensor) else held
        if name[0] == "_" or not isinstance(getattr(data, "dtype", None), np.dtype) or not hasattr(data, "nonzero"):
            continue
        if data.dtype.kind == "b":
            if any(_equal(numbers, array) for numbers in to_host(data).nonzero()):
                return name
        elif data.dtype.kind in "iu" and _equal(data, array):
            return name
    return None


def _equal(a: Any, b: Any) -> bool:
    return tuple(a.shape) == tuple(b.shape) and bool(np.array_equal(to_host(a), to_host(b)))


def _rebound(frame: FrameType | None, name: str) -> bool:
    """Whether a function binds a name more than once; its arguments are bound when it is called."""
    return frame is not None and _bindings(frame.f_code, name) > 1


@lru_cache(1024)
def _bindings(code: CodeType, name: str) -> int:
    count = int(name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    for i in dis.get_instructions(code):
        if i.opname.startswith("STORE"):
            names = (
                i.argval if isinstance(i.argval, tuple) else (i.argval,)
            )  # two instructions in one, from Python 3.13 on
            count += names[: i.opname.count("STORE")].count(name)
    return count
