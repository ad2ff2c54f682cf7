r"""The recorded graph, and the walk back through it.

Every op on a Tensor that requires a gradient leaves a `Node`: which op it was, what it kept for its backward rule, and
which nodes (or leaf Tensors) its inputs came from. A walk visits the nodes from the results back to the leaves and hands each
one the sum of all gradients that have arrived at its output:

.. math:: \bar x = \sum_{y \in \text{uses of } x} \left(\frac{\partial y}{\partial x}\right)^{\!\top} \bar y

Read `Node` first: what is recorded. Then `plain_backward`: the whole walk in twenty lines on plain arrays. `Walk` is the one
that is used, and must equal it: it frees memory on its way, runs hooks, goes only where it must, and can be recorded itself for
second derivatives; its methods stand in the order of a walk. Last come the modes of a thread, and the observers through which
everything else reads along.

The walk keeps its own stack and visits each edge once: depth is bounded by memory, and time is linear in the graph. A Tensor
points to its node and a node to its inputs, never back to its output, so graphs are freed by reference counting alone.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minilm.backend import DEVICE_OF_TYPE, as_array, quiet, quiet_call
from minilm.ops.arguments import shape_of
from minilm.ops.op import Op, Spec
from minilm.ops.reduce import sum_to
from minilm.types import Array

Place = tuple[Any, int]
"""Where a Tensor stands in the graph: (its node, which of the node's outputs it is), or (a leaf, 0)."""
Gradients = dict[tuple[int, int], Any]
"""The gradients that arrived, by their places; the node or leaf is named by its id."""


_next_number = itertools.count().__next__


class Ending:
    """How a walk ended, for those nodes that it freed: `error` says what stopped it on its way, if anything did."""

    error = ""

    def restore(self, node: Node) -> None:
        """Brings back what `node` saved: nothing can."""
        if self.error:
            raise RuntimeError(
                f"backward through {node.op.name}: its saved arrays were freed by a backward() that was stopped by an error, "
                f"{self.error!r}. Compute the output again, and clear the gradients that it has left (zero_grad)."
            )
        raise RuntimeError(
            f"backward through {node.op.name} a second time, but its saved arrays were freed by the first. "
            "Pass retain_graph=True to the first backward(), or compute the output again."
        )


class Node:
    """One recorded op.

    Attributes:
        parents: the place that each input came from; None for a constant.
        needs: which inputs a gradient flows to: those that have a parent.
        inputs, outputs: what the backward rules read. Of an input whose numbers they do not read there is a `Spec`, of such an
            output None: the gradient that arrives has its shape and dtype.
        versions: for each array in `inputs` and `outputs` that may change in place, its counter, the count at saving time, and
            its place in the one list that both make.
        freed: who has let go of what was saved, and whether it can be restored: the ending of a walk, which cannot, or
            `minilm.checkpoint`, which computes it again; None while it is there.
        hooks, retained: by output index, the gradient hooks, and a reference to the Tensor whose gradient is kept.
        seq: its number in the order of recording, higher than those of all nodes behind it.
    """

    __slots__ = ("__weakref__", "aux", "freed", "hooks", "inputs", "needs", "op", "outputs", "params", "parents", "retained",
                 "seq", "versions")  # fmt: skip

    def __init__(
        self,
        op: Op,
        params: dict[str, Any],
        parents: Sequence[Any],
        needs: tuple[bool, ...],
        inputs: Sequence[Any],
        versions: Sequence[tuple[list[int], int, int]],
        aux: Any,
    ) -> None:
        self.op, self.params, self.parents, self.needs = op, params, parents, needs
        self.inputs, self.versions, self.aux = inputs, versions, aux
        self.outputs: Any = []
        self.freed: Any = None
        self.hooks: dict[int, list[Callable[[Any], Any]]] | None = None
        self.retained: dict[int, weakref.ref[Any]] | None = None
        self.seq = _next_number()

    def __repr__(self) -> str:
        return f"<{self.op.name} {'freed' if self.freed else 'of ' + ', '.join(str(shape_of(x)) for x in self.inputs)}>"

    def vjp(self, needs: tuple[bool, ...], g: Any, outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """The op's backward rule on `outputs` and `inputs`: those that were saved, or Tensors that stand for them."""
        op, params = self.op, self.params
        if op.has_aux:
            params = {**params, "aux": self.aux}
        return op.vjp(needs, g, outputs if op.multi else outputs[0], inputs, params)

    def free(self, ending: Ending) -> None:
        """Lets go of the saved arrays. The node's place in the graph stays, for the error of a second backward()."""
        self.inputs = self.outputs = ()
        self.versions, self.aux, self.freed = (), None, ending

    def check_saved(self) -> None:
        """Has what was saved computed again where a checkpoint let go of it.

        Raises:
            RuntimeError: it is gone for good, or was modified since.
        """
        while self.freed is not None:
            self.freed.restore(self)
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


def plain_backward(roots: Sequence[tuple[Any, int, Array]]) -> Gradients:
    """The gradients at all nodes and leaves behind `roots`: the specification of `Walk`.

    A node is numbered when it is recorded, so from the highest number down each one's turn comes after all that use its outputs.
    Nothing is freed, and no hook runs.

    Args:
        roots: where the walk begins: a node or leaf, an output index, and the gradient there.
    """
    nodes: set[Node] = set()
    behind = [item for item, _, _ in roots]
    for item in behind:  # which grows meanwhile
        if isinstance(item, Node) and item not in nodes:
            nodes.add(item)
            behind += [parent[0] for parent in item.parents if parent is not None]
    sums: Gradients = {}

    def arrive(item: Any, index: int, g: Array) -> None:
        sums[id(item), index] = as_array(sums.get((id(item), index), 0) + g)

    for root in roots:
        arrive(*root)
    for node in sorted(nodes, key=lambda node: node.seq, reverse=True):
        gs = tuple(sums.get((id(node), i)) for i in range(len(node.outputs)))
        if any(g is not None for g in gs):
            grads = node.vjp(node.needs, gs if node.op.multi else gs[0], node.outputs, node.inputs)
            for parent, x, g in zip(node.parents, node.inputs, grads, strict=True):
                if g is not None:
                    item, index = parent
                    arrive(item, index, sum_to(g, x.shape).astype(x.dtype))
    return sums


class Walk:
    """One walk back, and the gradients on their way.

    A rule may return the array that it was given, or a view, so an array may be on its way to several places at once. It is
    added to in place only where this is its last reference, views included.

    Args:
        wrap: ``wrap(array, node, index)`` makes a Tensor; ``wrap(array)`` one that needs no gradient.
        symbolic: gradients are Tensors with a graph of their own (``create_graph``). It keeps what the nodes saved.
        retain: what the nodes saved is kept for another walk, too.

    Attributes:
        sums: for each node or leaf (by id), and each of its outputs, the sum of the gradients that have arrived.
        ending: how it ends, for the nodes that it frees. They know no more of it: it would keep its gradients alive.
    """

    __slots__ = ("ending", "keep", "sums", "symbolic", "wrap")

    def __init__(self, wrap: Callable[..., Any], symbolic: bool = False, retain: bool = False) -> None:
        self.wrap, self.symbolic, self.keep = wrap, symbolic, symbolic or retain
        self.sums: dict[int, dict[int, Any]] = {}
        self.ending = Ending()

    def run(self, roots: Sequence[tuple[Any, int, Any]], targets: Sequence[Place] | None = None) -> list[Any]:
        """Walks from `roots` (node or leaf, output index, Tensor with the gradient there) back to the leaves.

        Args:
            targets: where gradients are wanted. None: at every leaf, which adds what has arrived to its ``grad``.

        Returns:
            For each of `targets` the Tensor with its gradient; None where nothing has arrived.

        Raises:
            RuntimeError: the graph was freed by an earlier walk, or a saved array was modified in place.

        Whatever a rule, a hook or Ctrl-C raises ends the walk there. Leaves that were reached have their whole gradient, the
        others none of it. Nodes behind the place keep what they saved; those before it have been freed, unless they were to be
        kept: the error of the next walk then names this one's. A walk that stops before it has freed a node leaves the graph as
        it was.
        """
        before, modes.grad = modes.grad, self.symbolic
        try:
            with quiet():
                for item, index, g in roots:
                    self.arrive(item, index, g if self.symbolic else g._data)
                order = topological_order([item for item, _, _ in roots], targets)
                if targets is not None:
                    return self.to_targets(order, targets)
                self.to_leaves(order)
                return []
        except BaseException as error:
            self.ending.error = f"{type(error).__name__}{f': {error}' if str(error) else ''}"
            raise
        finally:
            modes.grad = before

    def to_leaves(self, order: list[Any]) -> None:
        """Visits all nodes and leaves in `order` from its end, so that each has got all that it will get."""
        while order:
            item = order.pop()
            arrived = self.sums.pop(id(item), None)
            if arrived is None:
                continue
            if item.hooks or item.retained:
                self.run_hooks(item, arrived)
            if type(item) is Node:
                self.visit(item, item.needs, arrived)
            else:
                item._deposit(arrived, self.symbolic)

    def to_targets(self, order: list[Any], targets: Sequence[Place]) -> list[Any]:
        """Visits only what leads to `targets`, and computes only the gradients of inputs that do."""
        leading = leading_to(targets, order)
        wanted = {id(item) for item, _ in targets}
        found: Gradients = {}
        while order:
            item = order.pop()
            arrived = self.sums.pop(id(item), None)
            if arrived is None or id(item) not in leading:
                continue
            if item.hooks or item.retained:
                self.run_hooks(item, arrived)
            if id(item) in wanted:
                found.update({(id(item), index): g for index, g in arrived.items()})
            if True in leading[id(item)]:
                self.visit(item, leading[id(item)], arrived)
        gs = [found.get((id(item), index)) for item, index in targets]
        return gs if self.symbolic else [None if g is None else self.wrap(g) for g in gs]

    def visit(self, node: Node, needs: tuple[bool, ...], arrived: dict[int, Any]) -> None:
        """Runs a node's backward rule, and hands the gradients of its inputs in `needs` on to where these came from.

        Each gets the shape and dtype of its input. Then nobody needs what the node saved.
        """
        node.check_saved()
        op, observers, sums = node.op, modes.observers, self.sums
        g: Any = tuple(arrived.get(i) for i in range(len(node.outputs))) if op.multi else arrived[0]
        if observers:
            announce(op, "backward")
        if self.symbolic:
            grads = self.symbolic_vjp(node, needs, g)
        else:
            grads = node.vjp(needs, g, node.outputs, node.inputs)
        for i, x in enumerate(node.inputs):
            d = grads[i]
            if d is not None:
                if type(d) is not type(g):  # NumPy's arithmetic makes scalars of arrays without axes
                    grads[i] = d = as_array(d)
                if d.shape != x.shape or d.dtype is not x.dtype:
                    grads[i] = _fit(node, i, d, arrived)
        for observer in observers:
            if hasattr(observer, "backward"):
                observer.backward(node, g, grads)
        for i, d in enumerate(grads):
            if d is not None:
                item, index = node.parents[i]
                if id(item) in sums:
                    self.add(sums[id(item)], index, d)
                else:
                    sums[id(item)] = {index: d}
        if not self.keep:
            node.free(self.ending)

    def arrive(self, item: Any, index: int, g: Any) -> None:
        """Adds a gradient to what has arrived at an output of a node, or at a leaf."""
        self.add(self.sums.setdefault(id(item), {}), index, g)

    def add(self, slots: dict[int, Any], index: int, g: Any) -> None:
        """Adds a gradient to what has arrived at one place."""
        if index not in slots:
            slots[index] = g
        elif not self.symbolic and held_once(slots, index):  # nothing else can see the array change
            slots[index] += g
        else:
            slots[index] = as_array(slots[index] + g)

    def symbolic_vjp(self, node: Node, needs: tuple[bool, ...], g: Any) -> list[Any]:
        """The gradients of a node's inputs as Tensors with a graph of their own."""
        inputs = [self.handle(x, parent) for x, parent in zip(node.inputs, node.parents, strict=True)]
        if node.op.composed is not None:
            return self.composed_vjp(node.op, node.params, needs, g, inputs)
        outputs = [None if y is None else self.wrap(y, node, i) for i, y in enumerate(node.outputs)]
        return node.vjp(needs, g, outputs, inputs)

    def handle(self, x: Any, parent: Place | None) -> Any:
        """A Tensor that stands for a saved input, at its place in the graph; of what is no array, the thing itself."""
        if type(x) in _NO_ARRAY:
            return x
        if parent is None:
            return self.wrap(x)
        return self.wrap(x, *parent) if type(parent[0]) is Node else parent[0]

    def composed_vjp(
        self, op: Op, params: dict[str, Any], needs: tuple[bool, ...], g: Any, inputs: Sequence[Any]
    ) -> list[Any]:
        """The gradient of a fused op as a graph: its composition is run again and differentiated, from aliases of its inputs."""
        assert op.composed is not None
        aliases = [x.reshape(x.shape) if need else x for x, need in zip(inputs, needs, strict=True)]
        y = op.composed(*aliases, **params)
        outputs, gs = (y, g) if op.multi else ((y,), (g,))
        roots = [(*y._place(), d) for y, d in zip(outputs, gs, strict=True) if d is not None and y.requires_grad]
        targets = [x._place() for x, need in zip(aliases, needs, strict=True) if need]
        found = iter(Walk(self.wrap, symbolic=True).run(roots, targets))
        return [next(found) if need else None for need in needs]

    def run_hooks(self, item: Any, arrived: dict[int, Any]) -> None:
        """Lets hooks see, and replace, the gradient of a Tensor once it is complete; keeps it where retain_grad() asked."""
        hooks, retained = item.hooks or {}, item.retained or {}
        for index in list(arrived):
            for hook in hooks.get(index, ()):
                g = arrived[index] if self.symbolic else self.wrap(arrived[index])
                new = hook(g)
                if new is not None:
                    new = replacement(new, g)
                    arrived[index] = new if self.symbolic else new.data
            tensor = retained[index]() if index in retained else None
            if tensor is not None:
                tensor._accumulate(arrived[index] if self.symbolic else self.wrap(arrived[index].copy()))


def held_once(items: Any, index: int) -> bool:
    """Whether ``items[index]`` is an array that nothing else refers to, so that writing to it changes nothing else.

    It must own its memory; a view of it would hold a reference to it (its ``base``), in NumPy as in CuPy, but for CuPy's
    `as_strided`.
    """
    return (
        type(items[index]) in DEVICE_OF_TYPE
        and items[index].base is None
        and sys.getrefcount(items[index]) == _HELD_ONCE
    )


_items = [object()]
_HELD_ONCE = sys.getrefcount(_items[0])  # the list's reference, and those of the call, which differ among interpreters


def topological_order(roots: Sequence[Any], targets: Sequence[Place] | None = None) -> list[Any]:
    """All nodes and leaves behind `roots`, inputs before what is made from them.

    Nodes older than all `targets` are left out: no way to these leads over them.
    """
    oldest = min(item.seq if isinstance(item, Node) else 0 for item, _ in targets) if targets else 0
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
            if parent is None:
                continue
            origin = parent[0]
            if id(origin) not in seen and (not oldest or type(origin) is not Node or origin.seq >= oldest):
                stack.append(origin)
    return order


def leading_to(targets: Sequence[Place], order: Sequence[Any]) -> dict[int, tuple[bool, ...]]:
    """For each node on a way to one of `targets`, and each of these (by id): which of its inputs lie on such a way, too."""
    leading: dict[int, tuple[bool, ...]] = {id(item): () for item, _ in targets}
    for item in order:
        if type(item) is Node:
            needs = tuple([parent is not None and id(parent[0]) in leading for parent in item.parents])
            if True in needs:
                leading[id(item)] = needs
    return leading


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
