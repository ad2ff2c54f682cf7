r"""What a trace holds: each op that ran is a `Call` between `Value` s, each Module that was called a `Scope` around its calls,
and the walk through them a list of `Step` s. A `Record` is all of it.

- *forward*: the call computed its results;
- *seed*: a gradient was put in from outside, ∂L/∂L = 1;
- *backward*: the gradient :math:`\bar y` arrived at a call's result; for each input, local derivative times
  :math:`\bar y` is its `Contribution`, and what it has accumulated so far is the sum of them.

`recorder` fills it; `text`, `panel` and `html` show it. Nothing here knows of either.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from minilm.backend import as_array, to_host
from minilm.ops.op import Op, Spec
from minilm.tensor import Tensor
from minilm.trace.jacobian import jacobian, local_derivative
from minilm.types import Array, Shape

ELEMENTWISE = ("arithmetic", "activation", "elementary", "rectifier", "rounding", "logic")  # files of ops
Axes = tuple[tuple[str, ...], ...]
"""What stands along each axis of an array."""

ADDED = {"linear": -1, "conv2d": 1}  # ops that add a bias, and the axis of their result that it has


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
        axes: what stands along each axis, () along those without names; () for all of it where no axis has any. A Tensor is given them
            by `Tensor.named`; what is computed from it bears them as far as they are plain (`minilm.trace.axes`).
        unknown: whether it is floats that came neither from a Tensor nor from a variable: what code computed on the way, unseen.
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
    axes: Axes = ()
    unknown: bool = False

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
        axes: of the fused attention: those of its weights.
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
    axes: Axes = ()

    @property
    def elementwise(self) -> bool:
        """Whether each number of the result depends only on the numbers at its own place."""
        return type(self.op).__module__.removeprefix("minilm.ops.") in ELEMENTWISE

    def values(self) -> list[Value]:
        """The inputs that are arrays, and the arrays that it chooses by."""
        return [*(x for x in self.inputs if isinstance(x, Value)), *self.indices.values()]

    def vjp(self, i: int, gs: tuple[Any, ...], shape: Shape | None = None) -> Array:
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

    def jacobian(self, i: int, output: int) -> Array:
        r""":math:`\partial y_j / \partial x_k` for each number of one output and of input i; shape: the output's, then the input's."""
        return jacobian(partial(self.vjp, i), [y.array for y in self.outputs], output, self.inputs[i].array)


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
        call = self.call
        if call.op.multi or call.saved is None:
            return "rule", None
        vjp = partial(call.vjp, self.position)
        return local_derivative(vjp, call.outputs[0].array, self.value.array, call.elementwise)


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


class Record:
    """All that ran, in order.

    Attributes:
        tokens: what stands at each position of the sequence; they are written on the axes of attention's matrices.
        scopes: the first is the whole trace.
        tensors: by the id of a Tensor: whether it is still that one, and its value.
        seeds: by value: the gradient that was put in from outside.
        gradients: by value: the sum of all that arrived, over the whole trace.
    """

    step_type: ClassVar[type[Step]] = (
        Step  # what `add_step` makes: whoever shows a record may add how a step shows itself
    )

    def __init__(self, tokens: Sequence[str] | None = None) -> None:
        if isinstance(tokens, str) or not all(isinstance(t, str) for t in tokens or ()):
            raise TypeError(f"trace: tokens must be a list of strings, one for each position, got {tokens!r}.")
        self.tokens = tuple(tokens or ())
        self.steps: list[Step] = []
        self.calls: list[Call] = []
        self.values: list[Value] = []
        self.scopes: list[Scope] = [Scope(0, None, "")]
        self.tensors: dict[int, tuple[weakref.ref[Tensor], Value]] = {}
        self.seeds: dict[int, Array] = {}
        self.gradients: dict[int, Array] = {}

    def add_step(self, kind: str, call: Call | None = None, **fields: Any) -> None:
        """The walk goes on by one step."""
        self.steps.append(self.step_type(len(self.steps), kind, call, **fields))

    def value_of(self, tensor: Tensor) -> Value:
        """The Value that stands for a Tensor.

        Raises:
            KeyError: the Tensor took no part in the trace.
        """
        ref, value = self.tensors.get(id(tensor), (None, None))
        if ref is None or ref() is not tensor or value is None:
            name = f"{tensor.name!r} " if getattr(tensor, "name", None) else ""
            raise KeyError(f"trace: the tensor {name}of shape {tuple(tensor.shape)} took no part in this trace.")
        return value

    def gradient_of(self, value: Value) -> Array | None:
        """What the value has accumulated in the whole trace; None where no gradient arrived."""
        return self.gradients.get(value.index)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Step:
        return self.steps[index]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)


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
