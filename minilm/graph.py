r"""The recorded graph, and the walk back through it.

Every op on a Tensor that requires a gradient leaves a `Node`: which op it was, what it kept for its backward rule, and
which nodes (or leaf Tensors) its inputs came from. `run_backward` visits the nodes in reverse topological order and
hands each one the sum of all gradients that arrive at its output:

.. math:: \bar x = \sum_{y \in \text{uses of } x} \left(\frac{\partial y}{\partial x}\right)^{\!\top} \bar y

The walk keeps its own stack and visits each edge once: depth is bounded by memory, and time is linear in the graph. A Tensor
points to its node and a node to its inputs, never back to its output, so graphs are freed by reference counting alone.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minilm.backend import as_array, device_of, held_once, quiet_call
from minilm.ops.arguments import shape_of
from minilm.ops.op import REGISTRY, Op, Spec
from minilm.ops.reduce import sum_to
from minilm.ops.shape import array_of


class _Modes(threading.local):
    """What the current thread records and checks. (Its ``__dict__`` is looked up once per op: each attribute would cost as much.)"""

    def __init__(self) -> None:
        self.grad = True
        self.observers: tuple[Any, ...] = ()
        self.quietly = quiet_call()


modes = _Modes()


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Within it, ops record nothing: for evaluation, and for changing parameters in place. Also a decorator."""
    before, modes.grad = modes.grad, False
    try:
        yield
    finally:
        modes.grad = before


@contextlib.contextmanager
def enable_grad() -> Iterator[None]:
    """Within it, ops record again, inside a `no_grad`."""
    before, modes.grad = modes.grad, True
    try:
        yield
    finally:
        modes.grad = before


def is_grad_enabled() -> bool:
    """Whether ops are being recorded."""
    return modes.grad


@contextlib.contextmanager
def detect_anomaly() -> Iterator[None]:
    """Within it, the first NaN or infinity that an op makes, forward or backward, raises `AnomalyError`.

    The error names the op, its formula, the input that caused it, and the line that called it. Each op costs one more
    pass over its output, and on a GPU one wait.
    """
    with observe(_AnomalyDetector()):
        yield


@contextlib.contextmanager
def observe(observer: Any) -> Iterator[None]:
    """Within it, `observer` is told what the engine does, by those of these methods that it has:

    - ``forward(op, inputs, params, outputs)`` after each op on Tensors;
    - ``backward(node, g, grads)`` after each backward rule;
    - ``before(op, stage)`` right before an op's forward rule runs on Tensors (stage ``"forward"``), and right before a node's
      backward rule runs (stage ``"backward"``): with the two above, what a profiler needs to take the time;
    - ``enter(module)`` and ``leave(module)`` around each Module's forward pass.
    """
    before, modes.observers = modes.observers, (*modes.observers, observer)
    try:
        yield
    finally:
        modes.observers = before


def announce(op: Op, stage: str) -> None:
    """Tells the observers that a rule of `op` is about to run."""
    for observer in modes.observers:
        if hasattr(observer, "before"):
            observer.before(op, stage)


class AnomalyError(ArithmeticError):
    """An op made a NaN or an infinity under `detect_anomaly`."""


class Walk:
    """One walk back. The nodes that it frees know it, and so how it ended: `error` says what stopped it on its way, if anything did."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error = ""


class Node:
    """One recorded op.

    Attributes:
        parents: for each input its origin: ``(node, index of that node's output)``, a leaf Tensor, or None for a constant.
        inputs, outputs: what the backward rules read. Of an input whose numbers they do not read there is a `Spec`, of such an
            output None: the gradient that arrives has its shape and dtype.
        versions: for each array in `inputs` and `outputs` that may change in place, its counter, the count at saving time, and
            its place in the one list that both make.
        freed: the walk that has let go of what was saved; None while it is there.
        site: "file:line" of the user's call, recorded under `detect_anomaly`.
        hooks, retained: by output index, the gradient hooks, and a reference to the Tensor whose gradient is kept.
    """

    __slots__ = ("__weakref__", "aux", "freed", "hooks", "inputs", "needs", "op", "outputs", "params", "parents", "retained",
                 "seq", "site", "versions")  # fmt: skip
    _counter = itertools.count()

    def __init__(
        self,
        op: Op,
        params: dict[str, Any],
        parents: Sequence[Any],
        needs: tuple[bool, ...],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        versions: list[tuple[list[int], int, int]],
        aux: Any,
    ) -> None:
        self.op, self.params, self.parents, self.needs = op, params, parents, needs
        self.inputs, self.outputs, self.versions, self.aux = inputs, outputs, versions, aux
        self.freed: Walk | None = None
        self.hooks: dict[int, list[Callable[[Any], Any]]] | None = None
        self.retained: dict[int, weakref.ref[Any]] | None = None
        self.site: str | None = None
        self.seq = next(Node._counter)

    def __repr__(self) -> str:
        return f"<{self.op.name} {'freed' if self.freed else 'of ' + ', '.join(str(shape_of(x)) for x in self.inputs)}>"

    def free(self, walk: Walk) -> None:
        """Lets go of the saved arrays. The node's place in the graph stays, for the error of a second backward()."""
        self.inputs = self.outputs = ()
        self.versions, self.aux, self.freed = [], None, walk

    def check_versions(self) -> None:
        for cell, version, i in self.versions:
            if cell[0] != version:
                what = f"input '{self.op.input_name(i)}'" if i < len(self.inputs) else "output"
                what += f" {(*self.inputs, *self.outputs)[i].shape}"
                raise RuntimeError(
                    f"backward of {self.op.name}: its {what} was modified in place after it was saved (version {cell[0]}, "
                    f"saved at {version}), so the gradient would be wrong. Modify it after backward(), or modify a copy (.clone())."
                )


_NO_ARRAY = frozenset({type(None), bool, int, float, Spec})
_new_spec = functools.partial(tuple.__new__, Spec)  # without the checks of a NamedTuple's constructor


def keep_spec(x: Any) -> Any:
    """Shape and dtype of an array; scalars and None as they are."""
    return x if type(x) in _NO_ARRAY else _new_spec((x.shape, x.dtype))


def user_site() -> str:
    """ "file:line" of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "minilm":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _any(x: Any, test: str) -> bool:
    """Whether a float array holds a number for which the array module's `test` is true."""
    if getattr(x, "dtype", None) is None or x.dtype.kind != "f":
        return False
    return bool(getattr(device_of(x).xp, test)(x).any())


def check_anomaly(
    op: Op, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Any], site: str, stage: str
) -> None:
    """Raises `AnomalyError` where an output is not finite.

    An op that was given an infinity (masked_fill's value, a masked score) may pass it on; a NaN it may not make.
    """
    given = any(isinstance(v, float) and math.isinf(v) for v in params.values()) or any(
        _any(x, "isinf") for x in inputs
    )
    if not any(_any(y, "isnan") or (not given and _any(y, "isinf")) for y in outputs):
        return
    bad = [i for i, x in enumerate(inputs) if _any(x, "isnan") or _any(x, "isinf")]
    names = op.input_names or tuple(f"input {i}" for i in range(len(inputs)))
    if stage == "backward":
        names = ("incoming gradient",) * len(inputs)
    if bad:
        cause = f"its {names[bad[0]]} {shape_of(inputs[bad[0]])} was not finite already"
    else:
        ranges = [f"{n} in [{float(x.min()):.4g}, {float(x.max()):.4g}]" for n, x in zip(names, inputs, strict=False)
                  if getattr(x, "size", 0)]  # fmt: skip
        cause = f"from finite inputs: {', '.join(ranges)}; it is defined for {op.domain}"
    raise AnomalyError(
        f"{op.name} made a NaN or an infinity in the {stage} pass ({op.formula}), {cause}. Called at {site}."
    )


class _AnomalyDetector:
    """The observer that looks at every result of every rule."""

    def forward(self, op: Op, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Any]) -> None:
        site = user_site()
        check_anomaly(op, [array_of(x) for x in inputs], params, [y.data for y in outputs], site, "forward")
        if outputs[0].grad_fn is not None:
            outputs[0].grad_fn.site = site

    def backward(self, node: Node, g: Any, grads: Sequence[Any]) -> None:
        incoming = [array_of(x) for x in (g if node.op.multi else (g,)) if x is not None]
        site = node.site or "an unknown place"
        check_anomaly(node.op, incoming, {}, [array_of(d) for d in grads], site, "backward")


def topological_order(roots: Sequence[Any], oldest: int) -> list[Any]:
    """All nodes and leaves behind `roots`, inputs before what is made from them. Nodes older than `oldest` are left out."""
    order: list[Any] = []
    seen: set[int] = set()
    stack: list[Any] = list(reversed(roots))
    while stack:
        item = stack.pop()
        if item is None:  # all that lies behind the next one is in the order
            order.append(stack.pop())
            continue
        if id(item) in seen:
            continue
        seen.add(id(item))
        if type(item) is not Node:
            order.append(item)
            continue
        stack += (item, None)
        for parent in item.parents:
            origin = parent[0] if type(parent) is tuple else parent
            if origin is None or id(origin) in seen or (oldest and type(origin) is Node and origin.seq < oldest):
                continue
            stack.append(origin)
    return order


class _Gradients:
    """The gradients on their way: for each node or leaf, the sum of what has arrived at each of its outputs.

    A rule may return the array that it was given, or a view, so an array may be on its way to several places at once. It is
    added to in place only where this is its last reference, views included.
    """

    def __init__(self, symbolic: bool) -> None:
        self.symbolic = symbolic
        self.sums: dict[int, dict[int, Any]] = {}

    def add(self, item: Any, index: int, g: Any) -> None:
        slots = self.sums.get(id(item))
        if slots is None:
            self.sums[id(item)] = {index: g}
        elif index not in slots:
            slots[index] = g
        elif not self.symbolic and held_once(slots, index):  # nothing else can see the array change
            slots[index] += g
        else:
            slots[index] = as_array(slots[index] + g)

    def send(self, node: Node, grads: Sequence[Any]) -> None:
        """Hands the gradients of a node's inputs on to where these came from."""
        for i, parent in enumerate(node.parents):
            if grads[i] is not None:
                origin, index = parent if type(parent) is tuple else (parent, 0)
                self.add(origin, index, grads[i])


def run_backward(
    roots: Sequence[tuple[Any, int, Any]],
    targets: Sequence[tuple[Any, int]] | None,
    create_graph: bool,
    retain_graph: bool,
    wrap: Callable[..., Any],
    deposit: Callable[[Any, dict[int, Any]], None],
) -> dict[tuple[int, int], Any]:
    """Walks from `roots` (node or leaf, output index, gradient) back to the leaves.

    Args:
        targets: where gradients are wanted, as (node or leaf, index). None: at every leaf, through ``deposit(leaf, arrived)``,
            where ``arrived[0]`` is the gradient.
        create_graph: gradients are Tensors with a graph of their own.
        retain_graph: keep what the nodes saved, for another walk.
        wrap: ``wrap(array, node, index)`` makes a Tensor.

    Returns:
        The gradients at `targets`, by ``(id(node or leaf), index)``.

    Raises:
        RuntimeError: the graph was freed by an earlier walk, or a saved array was modified in place.

    Whatever a rule, a hook or Ctrl-C raises ends the walk there. Leaves that were reached have their whole gradient, the others
    none of it. Nodes behind the place keep what they saved; those before it have been freed, unless `retain_graph`: the error of
    the next walk then names this one's. A walk that stops before it has freed a node leaves the graph as it was.
    """
    walk = Walk()
    try:
        return _run(walk, roots, targets, create_graph, retain_graph, wrap, deposit)
    except BaseException as error:
        walk.error = f"{type(error).__name__}{f': {error}' if str(error) else ''}"
        raise


def _run(
    walk: Walk,
    roots: Sequence[tuple[Any, int, Any]],
    targets: Sequence[tuple[Any, int]] | None,
    create_graph: bool,
    retain_graph: bool,
    wrap: Callable[..., Any],
    deposit: Callable[[Any, dict[int, Any]], None],
) -> dict[tuple[int, int], Any]:
    oldest = 0
    if targets and all(isinstance(item, Node) for item, _ in targets):
        oldest = min(item.seq for item, _ in targets)
    order = topological_order([item for item, _, _ in roots], oldest)
    wanted = None if targets is None else {id(item): item for item, _ in targets}
    useful = None if wanted is None else _leading_to(order, wanted)
    gradients = _Gradients(create_graph)
    for item, index, g in roots:
        gradients.add(item, index, g)
    found: dict[tuple[int, int], Any] = {}
    while order:
        item = order.pop()
        arrived = gradients.sums.pop(id(item), None)
        if arrived is None or (useful is not None and id(item) not in useful):
            continue
        if item.hooks or (type(item) is Node and item.retained):
            _run_hooks(item, arrived, create_graph, wrap)
        if wanted is not None and id(item) in wanted:
            found.update({(id(item), index): g for index, g in arrived.items()})
        if type(item) is not Node:
            if wanted is None:
                deposit(item, arrived)
            continue
        if useful is not None and not any(id(_origin(p)) in useful for p in item.parents if p is not None):
            continue
        gradients.send(item, _apply_rule(item, arrived, create_graph, wrap, useful))
        if not (retain_graph or create_graph):
            item.free(walk)
    return found


def _origin(parent: Any) -> Any:
    return parent[0] if type(parent) is tuple else parent


def _leading_to(order: Sequence[Any], wanted: dict[int, Any]) -> set[int]:
    """The ids of what lies on a path to a wanted node or leaf."""
    useful = set(wanted)
    for item in order:
        if isinstance(item, Node) and any(p is not None and id(_origin(p)) in useful for p in item.parents):
            useful.add(id(item))
    return useful


def _run_hooks(item: Any, arrived: dict[int, Any], create_graph: bool, wrap: Callable[..., Any]) -> None:
    """Lets hooks see, and replace, the gradient of a Tensor once it is complete; keeps it where retain_grad() asked."""
    hooks, retained = item.hooks or {}, (item.retained if type(item) is Node else None) or {}
    for index in list(arrived):
        for hook in hooks.get(index, ()):
            g = arrived[index] if create_graph else wrap(arrived[index])
            new = hook(g)
            if new is not None:
                new = replacement(new, g)
                arrived[index] = new if create_graph else new.data
        if index in retained:
            tensor = retained[index]()
            if tensor is not None:
                tensor._accumulate(arrived[index] if create_graph else wrap(arrived[index].copy()))


def replacement(new: Any, g: Any) -> Any:
    """What a gradient hook returned for the gradient `g`: a Tensor of its dtype, on its device.

    Raises:
        TypeError: it is no Tensor, array or number.
        ValueError: its shape is not the gradient's.
    """
    try:
        new = new if isinstance(new, type(g)) else type(g)(new)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"a gradient hook returned a {type(new).__name__}, expected a Tensor or an array of shape {g.shape}, or None "
            f"({error})"
        ) from None
    if new.shape != g.shape:
        raise ValueError(f"a gradient hook returned shape {new.shape} for a gradient of shape {g.shape}.")
    return new.to(g.device).to(g.dtype)


def _apply_rule(
    node: Node, arrived: dict[int, Any], create_graph: bool, wrap: Callable[..., Any], useful: set[int] | None
) -> list[Any]:
    """The gradients of a node's inputs, each with the shape and dtype of its input."""
    op, inputs = node.op, node.inputs
    if node.freed is not None:
        if node.freed.error:
            raise RuntimeError(
                f"backward through {op.name}: its saved arrays were freed by a backward() that was stopped by an error, "
                f"{node.freed.error!r}. Compute the output again, and clear the gradients that it has left (zero_grad)."
            )
        raise RuntimeError(
            f"backward through {op.name} a second time, but its saved arrays were freed by the first. "
            "Pass retain_graph=True to the first backward(), or compute the output again."
        )
    if node.versions:
        node.check_versions()
    needs = node.needs
    if useful is not None:
        needs = tuple(p is not None and id(_origin(p)) in useful for p in node.parents)
    g: Any = tuple(arrived.get(i) for i in range(len(node.outputs))) if op.multi else arrived[0]
    observers = modes.observers
    if observers:
        announce(op, "backward")
    if create_graph:
        grads = _symbolic_vjp(node, needs, g, wrap)
    else:
        params = {**node.params, "aux": node.aux} if op.has_aux else node.params
        grads = op.vjp(needs, g, node.outputs if op.multi else node.outputs[0], inputs, params)
    for i, d in enumerate(grads):
        if d is not None:
            grads[i] = d = as_array(d)
            if d.shape != inputs[i].shape or d.dtype is not inputs[i].dtype:
                grads[i] = _fit(node, i, d, arrived)
    for observer in observers:
        if hasattr(observer, "backward"):
            observer.backward(node, g, grads)
    return grads


def _symbolic_vjp(node: Node, needs: tuple[bool, ...], g: Any, wrap: Callable[..., Any]) -> list[Any]:
    """The gradients of a node's inputs as Tensors with a graph of their own."""
    op = node.op
    if op.composed is not None:
        return _composed_vjp(node, needs, g, wrap)
    params = {**node.params, "aux": node.aux} if op.has_aux else node.params
    outputs = tuple(None if y is None else wrap(y, node, i) for i, y in enumerate(node.outputs))
    return op.vjp(needs, g, outputs if op.multi else outputs[0], _handles(node, wrap), params)


def _handles(node: Node, wrap: Callable[..., Any]) -> tuple[Any, ...]:
    """A node's saved inputs as Tensors with their places in the graph."""
    handles = []
    for parent, x in zip(node.parents, node.inputs, strict=True):
        if keep_spec(x) is x:
            handles.append(x)
        elif parent is None:
            handles.append(wrap(x))
        elif type(parent) is tuple:
            handles.append(wrap(x, *parent))
        else:
            handles.append(parent)
    return tuple(handles)


def _composed_vjp(node: Node, needs: tuple[bool, ...], g: Any, wrap: Callable[..., Any]) -> list[Any]:
    """The gradient of a fused op as a graph: its composition is run again and differentiated, from aliases of its inputs."""
    handles = [
        REGISTRY["reshape"](x, x.shape) if need else x for x, need in zip(_handles(node, wrap), needs, strict=True)
    ]
    assert node.op.composed is not None
    with enable_grad():
        y = node.op.composed(*handles, **node.params)
    outputs, gs = (y, g) if node.op.multi else ((y,), (g,))
    roots = [(*out._place(), d) for out, d in zip(outputs, gs, strict=True) if d is not None and out.requires_grad]
    targets = [x._place() for x, need in zip(handles, needs, strict=True) if need]
    found = run_backward(roots, targets, True, True, wrap, lambda *_: None)
    return [
        found.get((id(x._place()[0]), x._place()[1])) if need else None for x, need in zip(handles, needs, strict=True)
    ]


def _fit(node: Node, i: int, g: Any, arrived: dict[int, Any]) -> Any:
    """A rule's result with the shape and dtype of input i; a result that could not be meant raises."""
    x = node.inputs[i]
    if g.shape != x.shape:
        if not node.op.broadcasts:
            raise RuntimeError(
                f"{node.op.name}: the gradient of input {i} has shape {tuple(g.shape)}, the input {tuple(x.shape)}."
            )
        g = sum_to(g, x.shape)
    if g.dtype != x.dtype:
        if all(y.dtype == x.dtype for y in arrived.values()):
            raise RuntimeError(f"{node.op.name}: the gradient of input {i} is {g.dtype}, the input {x.dtype}.")
        g = g.astype(x.dtype)
    return g
