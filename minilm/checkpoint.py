r"""Activation checkpointing: less memory for a training step, paid for with a second forward pass.

A backward pass needs what the forward pass has computed, so all of it is kept: for n layers, n times what one of them keeps.
`checkpoint` lets go of what a function computed, keeps its inputs, and computes it again when the walk back arrives there. With
the n layers in k segments, the inputs of all segments are kept, and at one time the inside of one:

.. math:: M(k) = k\,b + \frac{n}{k}\,a, \qquad k^* = \sqrt{n a / b}

for b bytes of a segment's input and a bytes inside one layer: with a = b the familiar :math:`\sqrt n` segments, and never more than
one forward pass more (Chen, Xu, Zhang and Guestrin 2016, *Training Deep Nets with Sublinear Memory Cost*, arXiv:1604.06174).

The graph stays: each op leaves its node, so hooks, parameters that the function reads, several outputs and second derivatives work as
without a checkpoint. Only what the nodes saved is gone. An observer of the first run takes it away (`_Forgetting`); `Region.restore` runs
the function again with the same random numbers, so that dropout drops the same, and gives each node what its twin has saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from minilm import random
from minilm.graph import Node, enable_grad, keep_spec, modes, observe
from minilm.ops.arguments import shape_of
from minilm.ops.op import Op


def checkpoint(function: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
    """``function(*inputs, **options)``, of which backward() computes again what the forward pass does not keep.

    ::

        y = ml.checkpoint(block, x)        # the same numbers and gradients as y = block(x)

    Only the inputs are kept, so the function is best a part whose inside is much larger than its input, such as a block of a
    Transformer. It must compute the same when it is called again, from the same inputs, parameters and modes: what
    draws random numbers from `minilm.random` (dropout) draws the same; what counts its calls (the running averages of a
    `BatchNorm`) counts two. Where nothing is recorded (`no_grad`), it is just called. A checkpoint inside another's function
    first forgets with the outer one, and saves memory when that one is computed again.

    A walk that keeps the graph (``retain_graph``, ``create_graph``) keeps what was computed again, too.

    Args:
        function: of any arguments and results; parameters that it reads get their gradients.
        inputs, options: what it is called with.

    Raises:
        TypeError: `function` cannot be called.
        RuntimeError: in backward(): something that the function read was modified in place meanwhile, or its second run did
            other things than its first; in the function: a backward() through what it is just computing.
    """
    if not callable(function):
        raise TypeError(
            f"checkpoint(f, *inputs) takes the function first, and calls it: checkpoint(block, x), not "
            f"checkpoint(block(x)); got a {type(function).__name__}."
        )
    if not modes.grad or any(isinstance(observer, _Forgetting) for observer in modes.observers):
        return function(*inputs, **options)
    region = Region(function, inputs, options)
    with observe(_Forgetting(region)):
        outputs = function(*inputs, **options)
    region.running = False
    region.read = [(cell, cell[0]) for cell in region.cells.values()]
    region.cells = {}
    return outputs


def checkpoint_sequential(functions: Iterable[Callable[[Any], Any]], segments: int, x: Any) -> Any:
    r"""``functions`` one after the other on x, in so many segments, each but the last a `checkpoint`.

    The walk back begins in the last segment, so what that one computes is never forgotten. :math:`\sqrt n` segments of n like functions
    need the least memory, as many segments as functions recompute one function at a time.

    Args:
        functions: such as the blocks of a model.
        segments: how many; the first ones have one function more where they cannot be equal.

    Raises:
        ValueError: there are no functions, or not between 1 and their number of segments.
    """
    chain = list(functions)
    if isinstance(segments, bool) or not isinstance(segments, int) or not 1 <= segments <= len(chain):
        raise ValueError(
            f"checkpoint_sequential: segments must be an integer from 1 to the number of functions, {len(chain)}; "
            f"got {segments!r}."
        )
    size, more = divmod(len(chain), segments)
    for k in range(segments):
        here, chain = chain[: size + (k < more)], chain[size + (k < more) :]
        x = checkpoint(_in_turn, here, x) if chain else _in_turn(here, x)
    return x


def _in_turn(functions: Sequence[Callable[[Any], Any]], x: Any) -> Any:
    for function in functions:
        x = function(x)
    return x


class _Saved(NamedTuple):
    """What a node keeps for its backward rule."""

    inputs: Sequence[Any]
    outputs: Sequence[Any]
    aux: Any
    freed: Any


class Region:
    """One call of a checkpointed function: how to repeat it, and after that what its nodes have saved.

    Attributes:
        count: how many nodes its first run recorded.
        running: whether the first run is still on.
        cells: by id, the version counters of Tensors that it read and did not make; afterwards `read`, with their counts.
        saved: by number, what the second run's nodes have saved; None before it.
    """

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.function, self.inputs, self.options = function, inputs, options
        self.moment = random.moment()
        self.count, self.running = 0, True
        self.cells: dict[int, list[int]] = {}
        self.read: list[tuple[list[int], int]] = []
        self.saved: list[_Saved | None] | None = None

    def restore(self, node: Node, number: int) -> None:
        """Gives the node of this number what its twin in the second run has saved."""
        if self.saved is None:
            self.saved = self._again()
        saved = self.saved[number]
        assert saved is not None, "a node takes what its twin has saved once"
        if list(map(_form, node.inputs)) != list(map(_form, saved.inputs)):
            raise RuntimeError(
                f"{self._differs()}: inputs of {node.op.name} were {', '.join(map(_form, node.inputs))} at first, and are "
                f"{', '.join(map(_form, saved.inputs))} now. {_CAUSES}"
            )
        node.inputs, node.outputs, node.aux, node.freed = saved
        self.saved[number] = None

    def _again(self) -> list[_Saved | None]:
        """Runs the function a second time; what each of its nodes saved, in the order of recording."""
        if self.running:
            raise RuntimeError(
                "backward() or grad() inside a checkpointed function, through what it has just computed: that is kept "
                "nowhere. Differentiate outside of the checkpoint, or call the function without one."
            )
        if any(cell[0] != count for cell, count in self.read):
            raise RuntimeError(
                f"backward through checkpoint({_name(self.function)}): a Tensor that the function reads was modified in place "
                "after its first run, so a second run would compute something else. Call backward() first, then modify "
                "it (optimizer.step() comes after backward())."
            )
        recording = _Recording()
        with random.replay(self.moment), enable_grad(), observe(recording):
            self.function(*self.inputs, **self.options)
        if len(recording.nodes) != self.count:
            raise RuntimeError(
                f"{self._differs()}: {self.count} ops were recorded at first, {len(recording.nodes)} now. {_CAUSES}"
            )
        return [_Saved(node.inputs, node.outputs, node.aux, node.freed) for node in recording.nodes]

    def _differs(self) -> str:
        return f"the second run of checkpoint({_name(self.function)}) did other things than the first"


_CAUSES = (
    "It must be the same function of the same inputs whenever it runs: look for train() or eval() between forward and backward, for "
    "values that it changes, and for random numbers that do not come from minilm.random."
)


class Place(NamedTuple):
    """Where a node finds what it saved: in a region's second run, under a number."""

    region: Region
    number: int

    def restore(self, node: Node) -> None:
        """Brings it back to the node."""
        self.region.restore(node, self.number)


class _Forgetting:
    """The observer of a region's first run: it lets go of what each node saved."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._made: dict[
            int, list[int]
        ] = {}  # version counters of what was made inside, kept so that their ids stay theirs

    def forward(self, op: Op, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Any]) -> None:
        region = self.region
        for x in inputs:
            cell = getattr(x, "_version", None)
            if cell is not None and id(cell) not in self._made:
                region.cells[id(cell)] = cell
        for y in outputs:
            if id(y._version) not in region.cells:  # else it is a view
                self._made[id(y._version)] = y._version
        node = outputs[0].grad_fn
        if node is None:
            return
        node.inputs = [keep_spec(x) for x in node.inputs]
        node.outputs = [None] * len(node.outputs)
        node.aux, node.freed = None, Place(region, region.count)
        region.count += 1


class _Recording:
    """The observer of a region's second run."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def forward(self, op: Op, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Any]) -> None:
        if outputs[0].grad_fn is not None:
            self.nodes.append(outputs[0].grad_fn)


def _form(x: Any) -> str:
    """Shape and dtype of a node's input."""
    return f"{shape_of(x)} {getattr(x, 'dtype', type(x).__name__)}"


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


__all__ = ["checkpoint", "checkpoint_sequential"]
